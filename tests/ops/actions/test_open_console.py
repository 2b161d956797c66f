"""Opening the console: the address stays out of arguments, and is printed without a browser."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.actions.open_console import FILE, open_in_browser, opener
from ops.connect.places import places_of
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_supervisor

URL = "http://127.0.0.1:18789/"
ANSWER = {"url": URL, "bootstrapToken": "one-time", "expiresAtMs": 60_000}


@pytest.fixture
def target(state: Path) -> RuntimeTarget:
    return RuntimeTarget({"state_dir": str(state)})


def test_only_a_screen_has_a_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "xdg-open"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert opener({"DISPLAY": ":0"}) == str(program)
    assert opener({"WAYLAND_DISPLAY": "wayland-0"}) == str(program)
    assert opener({"DISPLAY": ""}) is None
    monkeypatch.setenv("PATH", "/nonexistent")
    assert opener({"DISPLAY": ":0"}) is None


def test_a_browser_gets_a_private_file_that_leads_to_the_console(
    target: RuntimeTarget, tmp_path: Path
) -> None:
    places_of(target).run_dir.mkdir(parents=True, exist_ok=True)
    seen = tmp_path / "seen"
    program = tmp_path / "browser"
    program.write_text(
        f'#!{sys.executable}\nimport sys\nopen({str(seen)!r}, "w").write(sys.argv[1])'
    )
    program.chmod(0o755)
    path = open_in_browser(target, str(program), f"{URL}#bootstrap=a&b")
    assert path == places_of(target).run_dir / FILE
    assert seen.read_text() == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f'url={URL}#bootstrap=a&amp;b"' in path.read_text()
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(OperatorError, match="`trunkline open --print` prints the address"):
        open_in_browser(target, str(program), URL)


async def test_without_a_browser_the_address_is_printed(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    methods: dict[str, Any] = {"device__bootstrap__create": ANSWER}
    async with fake_supervisor(state, **methods):
        printed = await trunkline(state, "open")
        as_json = await trunkline(state, "open", "--json")
    assert printed.code == ExitCode.OK
    assert printed.out.splitlines()[0] == f"{URL}#bootstrap=one-time"
    assert "It signs one browser in, once, within 60 s" in printed.out
    assert "`ssh -L 18789:127.0.0.1:18789 HOST`" in printed.out
    assert as_json.json == {"url": f"{URL}#bootstrap=one-time", "expiresAtMs": 60_000}


async def test_where_the_gateway_has_a_public_address_that_is_printed_too(state: Path) -> None:
    public = "https://chat.example/console/"
    methods: dict[str, Any] = {"device__bootstrap__create": ANSWER | {"publicUrl": public}}
    async with fake_supervisor(state, **methods):
        printed = await trunkline(state, "open", "--print")
        as_json = await trunkline(state, "open", "--json")
    assert printed.out.splitlines()[0] == f"{URL}#bootstrap=one-time"
    assert printed.out.splitlines()[-1] == f"Through gateway.publicUrl: {public}#bootstrap=one-time"
    assert as_json.json["publicUrl"] == f"{public}#bootstrap=one-time"


async def test_open_needs_the_daemon(state: Path) -> None:
    found = await trunkline(state, "open")
    assert (found.code, found.out) == (ExitCode.NOT_RUNNING, "")
