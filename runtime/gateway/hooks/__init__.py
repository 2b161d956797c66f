"""Handles requests to hooks: access, contents, and mappings."""
