"""Changes of the configuration file: each is checked as a whole before it is written."""
