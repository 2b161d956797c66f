"""``trunkline version``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from ops.options import Json, command_app
from ops.output import show_json

app = command_app()


def own_version() -> str:
    """Return the version of the installed distribution, or ``0+source`` from a bare checkout."""
    try:
        return installed("trunkline")
    except PackageNotFoundError:
        return "0+source"


@app.command()
def version(json: Json = False) -> None:
    """Show the version of Trunkline and of Python."""
    if json:
        show_json({"version": own_version(), "python": platform.python_version()})
        return
    print(f"trunkline {own_version()} (Python {platform.python_version()})")
