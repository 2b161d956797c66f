"""Captures, folds, stores and follows the log lines of all processes."""
