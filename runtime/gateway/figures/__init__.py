"""Follows the figures of accounts over time: sent to clients as columns, and kept for a day."""
