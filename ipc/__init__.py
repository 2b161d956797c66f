"""Carries frames and calls between processes. Imports nothing else of Trunkline."""
