"""How the command line introduces itself."""

from __future__ import annotations

import tomllib

from ops.connect.identity import client_description, own_version
from tests.support.commandline import ROOT


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert own_version() in (project["version"], "0+source")


def test_a_server_learns_who_connects() -> None:
    told = client_description("cli", "cli")
    assert (told["id"], told["mode"], told["platform"]) == ("cli", "cli", "linux")
    assert told["version"] == own_version()
