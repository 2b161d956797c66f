"""The WebSocket server and client, with the hot path."""
