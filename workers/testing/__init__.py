"""What tests of channels need: servers that stand for platforms."""
