"""Plugins that are bad to import in the real daemon: their channel pays, and a person is told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.channel_packages import BAD_IMPORTS, install
from tests.support.daemon import Daemon

pytestmark = pytest.mark.e2e

# Those with which an account can work all the same, once it imports the plugin alone.
HARMLESS_ALONE = ("breaks", "threads")
# The others' causes, and words of what is said.
FAILING = {
    "raises": ("failed", "RuntimeError: this SDK is broken"),
    "exits": ("failed", "SystemExit: no such licence"),
    "ends": ("exited", "5"),
    "segfaults": ("killed", "signal 11"),
}


def with_channels(*names: str) -> dict[str, Any]:
    """Two accounts of each made-up channel beside two of our own, each tried but once."""
    two: dict[str, Any] = {"accounts": {"a": {}, "b": {}}}
    once = {"restart": {"initialSeconds": 600, "maximumSeconds": 600, "stopWithinSeconds": 0.5}}
    return {"channels": dict.fromkeys((*names, "local"), two), "supervisor": once}


async def test_each_bad_import_costs_its_own_channel_and_is_named(tmp_path: Path) -> None:
    site = tmp_path / "site"
    kinds = [*HARMLESS_ALONE, *FAILING]
    for kind in kinds:
        install(site, f"bad_{kind}", BAD_IMPORTS[kind])
    config = with_channels(*(f"bad_{kind}" for kind in kinds))
    async with Daemon(tmp_path, config, PYTHONPATH=str(site)) as daemon:
        for kind in HARMLESS_ALONE:
            await daemon.wait_phase(f"bad_{kind}:a", "running")
        for kind, (cause, words) in FAILING.items():
            row = await daemon.wait_phase(f"bad_{kind}:b", "backoff")
            assert row["cause"] == cause
            told = await daemon.call("channels.describe", {"account": f"bad_{kind}:b"})
            assert words in told["why"]
            assert f"bad_{kind}.plugin is not imported for all accounts" in told["imports"]
        for key in ("local:a", "local:b"):
            row = await daemon.wait_phase(key, "running")
            assert row["restarts"] == 0
        status = await daemon.status()
        said = [line for line in status["supervisor"]["warnings"] if "is not imported for" in line]
        assert sorted(line.split(".")[0] for line in said) == sorted(
            f"bad_{kind}" for kind in kinds
        )
        assert status["gateway"]["failures"] == 0


async def test_a_slow_import_delays_its_own_channel_and_is_shown(tmp_path: Path) -> None:
    site, gate = tmp_path / "site", tmp_path / "gate"
    os.mkfifo(gate)
    install(site, "slow", f"open({str(gate)!r}).read()\n")
    async with Daemon(tmp_path, with_channels("slow"), PYTHONPATH=str(site)) as daemon:
        for key in ("local:a", "local:b"):
            await daemon.wait_phase(key, "running")
        status = await daemon.wait(lambda s: s["supervisor"]["warnings"])
        (warning,) = status["supervisor"]["warnings"]
        assert warning.startswith("the import of slow.plugin has taken ")
        assert status["accounts"]["slow:a"]["phase"] == "starting"
        assert (await daemon.command("channels", "stop", "slow:b"))[0] == 0
        gate.write_text("open")
        await daemon.wait_phase("slow:a", "running")
        assert (await daemon.status())["accounts"]["slow:b"]["phase"] == "stopped"


async def test_changed_code_is_taken_when_the_account_is_restarted(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "made_up", "print('old code')\n")
    config = with_channels("made_up")
    async with Daemon(tmp_path, config, PYTHONPATH=str(site)) as daemon:
        rows = [await daemon.wait_phase(f"made_up:{name}", "running") for name in "ab"]
        install(site, "made_up", "raise RuntimeError('new code')\n")
        assert (await daemon.command("channels", "restart", "made_up:a"))[0] != 3
        row = await daemon.wait_phase("made_up:a", "backoff")
        assert "new code" in row["lastError"]
        other = (await daemon.status())["accounts"]["made_up:b"]
        assert (other["phase"], other["pid"]) == ("running", rows[1]["pid"])


async def test_the_end_of_the_supervisor_ends_the_zygotes_of_channels(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "made_up")
    install(site, "hanging", BAD_IMPORTS["hangs"])
    config = with_channels("made_up", "hanging")
    async with Daemon(tmp_path, config, PYTHONPATH=str(site)) as daemon:
        for name in "ab":
            await daemon.wait_phase(f"made_up:{name}", "running")
        family = daemon.family()
        names = [each.name() for each in family]
        assert any(name.startswith("zygote-made_up") for name in names)
        assert any(name.startswith("zygote-hanging") for name in names)
        daemon.kill()
        for each in family[:-1]:
            each.wait(10)
