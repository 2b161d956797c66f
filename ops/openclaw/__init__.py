"""Translates a configuration of OpenClaw into one of ours."""
