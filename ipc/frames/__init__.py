"""Defines the frames of every link: types, checks, JSON Schema."""
