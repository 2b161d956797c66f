"""Compares the running version with the installed one, and finds what changed between them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from ops.connect.identity import own_version
from ops.connect.supervisor import connected_supervisor
from ops.exits import ExitCode, OperatorError
from ops.output.changelog import changes, number
from ops.output.text import clean
from runtime.config.places import Places

NAME = "CHANGELOG.md"
RESTART = "trunkline service restart, or trunkline down and up"


def check_upgrade(places: Places) -> dict[str, Any]:
    """Return ``{running, installed, restart, newer, changes}``.

    ``running`` is ``None`` without a daemon, ``newer`` whether the daemon is newer than the
    installed version, ``changes`` the changelog by version.
    """
    running, installed = asyncio.run(_running(places)), own_version()
    differ = running is not None and running != installed
    return {
        "running": running,
        "installed": installed,
        "restart": differ,
        "newer": differ and number(running or "") > number(installed),
        "changes": changes(read_changelog(), running, installed) if differ and running else {},
    }


def show_upgrade(found: dict[str, Any]) -> None:
    """Print the outcome of ``check_upgrade`` for a person."""
    running, installed = found["running"], found["installed"]
    if running is None:
        print(clean(f"{installed} is installed; no daemon runs"))
    elif not found["restart"]:
        print(clean(f"{installed} is installed, and runs"))
    else:
        print(clean(f"{running} runs, and {installed} is installed: {RESTART}"))
    if found["newer"]:
        print("The installed version is older: its gateway refuses a newer version's journal (78).")
    for version, what in found["changes"].items():
        print(clean(f"\n{version}"))
        for line in what.splitlines():
            print(clean(line))


def read_changelog() -> str:
    """Return the changelog of the checkout or the installation; ``""`` if there is none."""
    checkout = Path(__file__).resolve().parents[2] / NAME
    for path in (checkout, Path(sys.prefix) / "share/doc/trunkline" / NAME):
        try:
            return path.read_text(encoding="utf-8")
        except OSError:
            continue
    return ""


async def _running(places: Places) -> str | None:
    try:
        async with connected_supervisor(places) as client:
            status = await client.call("supervisor.status", {})
    except OperatorError as error:
        if error.exit is not ExitCode.NOT_RUNNING:
            raise
        return None
    return str(status["supervisor"]["version"])
