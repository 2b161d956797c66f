"""Tests channels: a real worker between a fake platform and a real gateway (docs/channels.md)."""
