"""Answers HTTP on the gateway's port: health and metrics."""
