"""Decides about requests to hooks: who may call, what is asked, and what a mapping makes of it."""
