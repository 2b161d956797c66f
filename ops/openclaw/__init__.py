"""Translates configurations of OpenClaw into Trunkline's."""
