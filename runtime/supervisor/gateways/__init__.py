"""The gateway as the supervisor manages it: its process and its session."""
