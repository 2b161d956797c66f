"""``trunkline version``."""

from __future__ import annotations

import platform

from ops.options import Json, command_app
from ops.output import show_json
from ops.versions import own_version

app = command_app()


@app.command()
def version(json: Json = False) -> None:
    """Show the version of Trunkline and of Python."""
    if json:
        show_json({"version": own_version(), "python": platform.python_version()})
        return
    print(f"trunkline {own_version()} (Python {platform.python_version()})")
