"""ZeroMQ sockets on the event loop, and the two ends of a link."""
