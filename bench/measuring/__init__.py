"""Measures: windows of load, status rows, CPU and memory of processes, and their statistics."""
