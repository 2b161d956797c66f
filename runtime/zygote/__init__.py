"""Implements the zygote process, which forks workers, and its client in the supervisor."""
