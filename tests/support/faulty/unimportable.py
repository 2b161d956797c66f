"""A plugin whose module fails when it is imported."""

raise RuntimeError("this SDK is broken")
