"""How to measure: windows of load, status rows, CPU and memory of processes, and their figures."""
