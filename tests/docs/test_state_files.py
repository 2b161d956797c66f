"""The page that says where everything is names every file of the state directory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.links import ROOT
from tests.support.daemon import ECHO, Daemon
from tests.support.person import talking


def listed() -> list[str]:
    """Return the first parts of the paths in the table."""
    page = (ROOT / "docs/how-to.md").read_text()
    table = page.partition("| file | contains |\n")[2].partition("\n\n")[0]
    return [name.partition("/")[0] for name in re.findall(r"`([\w./-]+)", table)]


@pytest.mark.e2e
async def test_every_file_of_the_state_directory_is_in_the_table(tmp_path: Path) -> None:
    accounts = {"accounts": {"demo": {"journal": "on"}}}
    async with Daemon(tmp_path, ECHO | {"channels": {"local": accounts}}) as daemon:
        await daemon.wait_phase("local:demo", "running")
        async with talking(daemon, "demo") as person:
            await person.is_answered("hello")
        await daemon.command("channels", "stop", "local:demo")
        await daemon.command("backup")
    names = listed()
    assert len(names) > 12
    for path in (tmp_path / "state").iterdir():
        # Beside a file lie its copies and what SQLite makes.
        known = (name for name in names if path.name.startswith(name.removesuffix(".json")))
        assert any(known), path.name
