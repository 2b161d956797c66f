"""One module per command, or per family of commands; each has a typer app named ``app``."""
