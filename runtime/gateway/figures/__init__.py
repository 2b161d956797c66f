"""Records the figures of accounts over a day, and sends them to clients as columns."""
