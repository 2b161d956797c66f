"""Accounts as the gateway sees them: rows, data link, fan-out to clients."""
