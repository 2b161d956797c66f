"""The benchmark suite: what the runtime costs, beside what people would use instead."""
