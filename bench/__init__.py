"""The benchmark suite: measures the runtime and its alternatives."""
