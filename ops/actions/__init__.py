"""Carries out what the commands ask for, apart from how they are typed."""
