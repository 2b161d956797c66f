"""Decides when scheduled jobs run, and what becomes of a job by its runs."""
