"""Operating-system processes: start, watch, limit, end."""
