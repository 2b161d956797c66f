"""The benchmark suite: measures the runtime beside what people would use instead."""
