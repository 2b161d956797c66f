"""Stores messages of workers before they are processed, and reads them back."""
