"""Changes the configuration file; each result is checked as a whole before it is written."""
