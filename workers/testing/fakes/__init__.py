"""Contains fake servers of platforms, with faults on demand, for tests without a network."""
