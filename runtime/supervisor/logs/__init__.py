"""Log lines of all processes: captured, folded, stored, followed."""
