"""The load generator, written in C: a client in Python could not load a good gateway."""
