"""Runs ZeroMQ sockets on the event loop: the two ends of a link."""
