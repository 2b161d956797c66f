"""Moves bytes between processes: frames, links, calls. Imports nothing else of Trunkline."""
