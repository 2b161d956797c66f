"""Serves WebSocket and connects to it; the hot path of clients."""
