"""Runs scheduled jobs and heartbeats."""
