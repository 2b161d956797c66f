"""``trunkline version``."""

from __future__ import annotations

import platform

from ops.commands.options import Json, command_app
from ops.connect.identity import own_version
from ops.output.stdout import show_json

app = command_app()


@app.command()
def version(json: Json = False) -> None:
    """Show the version of Trunkline and of Python."""
    if json:
        show_json({"version": own_version(), "python": platform.python_version()})
        return
    print(f"trunkline {own_version()} (Python {platform.python_version()})")
