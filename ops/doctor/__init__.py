"""Looks at a runtime and its host for what is wrong or will be, and says how to cure it."""
