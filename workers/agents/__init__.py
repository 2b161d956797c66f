"""Contains the built-in kinds of agents, each a manifest that imports no SDK, and a class."""
