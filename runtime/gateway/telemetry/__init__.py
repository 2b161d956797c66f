"""Exports what the journal knows of each message as traces of OpenTelemetry."""
