"""Renders message text for platforms: markup, length limits and sending rates."""
