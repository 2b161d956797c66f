"""Manages the gateway in the supervisor: its process and its session."""
