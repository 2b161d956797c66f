"""Implements the worker process, which loads and runs one plugin or agent."""
