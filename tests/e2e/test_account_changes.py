"""Accounts and limits change while the daemon runs, by command and by file."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.channel_packages import install
from tests.support.commandline import Result
from tests.support.daemon import ECHO, Daemon
from tests.support.person import talking

pytestmark = pytest.mark.e2e


def with_accounts(**accounts: Any) -> dict[str, Any]:
    return ECHO | {"channels": {"local": {"accounts": accounts}}}


async def pids(daemon: Daemon, *names: str) -> dict[str, int]:
    """Return the pids of accounts once all of them run."""
    for name in names:
        await daemon.wait_phase(f"local:{name}", "running")
    rows = (await daemon.status())["accounts"]
    return {name: rows[f"local:{name}"]["pid"] for name in names}


async def reread(daemon: Daemon, config: dict[str, Any]) -> None:
    """Change the file and say so with SIGHUP; return when it was taken over."""
    before = (await daemon.status())["supervisor"]["configRevision"]
    daemon.write(config)
    os.kill(daemon.pid, signal.SIGHUP)
    await daemon.wait(lambda s: s["supervisor"]["configRevision"] != before)


async def test_accounts_come_and_go_by_command(tmp_path: Path) -> None:
    async with Daemon(tmp_path, with_accounts(one={}, two={})) as daemon:
        before = await pids(daemon, "one", "two")
        gateway = (await daemon.status())["gateway"]["pid"]
        async with talking(daemon, "one") as person:
            added = Result(*await daemon.command("channels", "add", "local:three", "name=Third"))
            assert (added.code, added.err) == (0, "")
            await pids(daemon, "three")
            await person.is_answered("during")
            twice = Result(*await daemon.command("channels", "add", "local:three"))
            twice.complains(78, "local", "three", "exists already")
            await daemon.command("channels", "stop", "local:two", "--reason", "old")
            removed = Result(*await daemon.command("channels", "remove", "local:two"))
            assert "local:two removed" in removed.out
            assert "its hold forgotten" in removed.out
            assert (await daemon.call("channels.holds"))["holds"] == {}
            status = await daemon.wait(lambda s: "local:two" not in s["accounts"])
            await person.is_answered("after")
        assert status["accounts"]["local:one"]["pid"] == before["one"]
        assert status["gateway"]["pid"] == gateway
        client = await daemon.client()
        known = (await client.call("channels.status"))["channelAccounts"]["local"]
        assert sorted(row["accountId"] for row in known) == ["one", "three"]
        await client.close()


async def test_a_start_with_another_configuration_forgets_no_manual_stop(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, with_accounts(one={}))
    state = daemon.directory / "state"
    state.mkdir(exist_ok=True)
    held = json.dumps({"local:two": {"at": 1, "reason": "night"}})
    (state / "holds.json").write_text(held)
    async with daemon:
        await pids(daemon, "one")
    daemon.write(with_accounts(one={}, two={}))
    async with daemon:
        row = (await daemon.status())["accounts"]["local:two"]
        assert (row["phase"], row["cause"], row["hold"]["reason"]) == ("stopped", "held", "night")


async def test_limits_of_every_level_reach_the_running_workers(tmp_path: Path) -> None:
    """Of the supervisor, the channel and the account; the nearest wins, and nobody restarts."""
    config = with_accounts(one={}, two={})
    async with Daemon(tmp_path, config) as daemon:
        before = await pids(daemon, "one", "two")
        nice = {name: os.getpriority(os.PRIO_PROCESS, pid) for name, pid in before.items()}
        config["supervisor"] = {"limits": {"niceness": 2, "processes": 9000}}
        config["channels"]["local"]["limits"] = {"openFiles": 300}
        config["channels"]["local"]["accounts"]["two"] = {"limits": {"openFiles": 400}}
        await reread(daemon, config)
        assert await pids(daemon, "one", "two") == before
        assert (await daemon.status())["supervisor"]["warnings"] == []
        for name, files in {"one": 300, "two": 400}.items():
            assert os.getpriority(os.PRIO_PROCESS, before[name]) == nice[name] + 2
            assert resource.prlimit(before[name], resource.RLIMIT_NOFILE) == (files, files)
            assert resource.prlimit(before[name], resource.RLIMIT_NPROC) == (9000, 9000)


async def test_an_edited_file_touches_only_what_changed(tmp_path: Path) -> None:
    config = with_accounts(
        same={}, edited={}, tuned={}, disabled={}, removed={}, off={"enabled": False}
    )
    names = ("same", "edited", "tuned", "disabled", "removed")
    async with Daemon(tmp_path, config) as daemon:
        before = await pids(daemon, *names)
        accounts = config["channels"]["local"]["accounts"]
        accounts["edited"] = {"greeting": "hello"}
        accounts["tuned"] = {"restart": {"initialSeconds": 1}, "name": "Tuned"}
        accounts["disabled"] = {"enabled": False}
        accounts["off"] = {}
        accounts["new"] = {}
        del accounts["removed"]
        await reread(daemon, config)
        status = await daemon.wait(
            lambda s: (
                "local:removed" not in s["accounts"]
                and s["accounts"]["local:disabled"]["phase"] == "stopped"
                and s["accounts"]["local:edited"]["pid"] not in (None, before["edited"])
            )
        )
        after = await pids(daemon, "same", "edited", "tuned", "off", "new")
        assert after["same"] == before["same"]
        assert after["tuned"] == before["tuned"]
        assert after["edited"] != before["edited"]
        rows = status["accounts"]
        assert rows["local:disabled"]["cause"] == "disabled"
        assert rows["local:tuned"]["name"] == "Tuned"
        assert rows["local:edited"]["failures"] == 0
        assert status["gateway"]["outages"] == 0


async def test_a_wrong_file_changes_nothing(tmp_path: Path) -> None:
    config = with_accounts(one={}, two={})
    async with Daemon(tmp_path, config) as daemon:
        before = await pids(daemon, "one", "two")
        revision = (await daemon.status())["supervisor"]["configRevision"]
        daemon.config_path.write_text("{")
        os.kill(daemon.pid, signal.SIGHUP)
        reload = Result(*await daemon.command("gateway", "call", "health"))
        assert reload.code in (0, 78)  # the secret is in a file that cannot be read now
        log = daemon.directory / "state" / "logs" / "supervisor.log"
        await daemon.wait(lambda s: "configuration not applied" in log.read_text())
        assert str(daemon.config_path) in daemon.output.read_text()
        assert await pids(daemon, "one", "two") == before
        assert (await daemon.status())["supervisor"]["configRevision"] == revision
        config["channels"]["local"]["accounts"]["three"] = {}
        await reread(daemon, config)
        assert (await pids(daemon, "one", "two", "three")).items() >= before.items()


async def test_what_a_person_stopped_stays_stopped_over_a_reload(tmp_path: Path) -> None:
    config = with_accounts(one={}, two={})
    async with Daemon(tmp_path, config) as daemon:
        await pids(daemon, "one", "two")
        await daemon.call("channels.stop", {"accounts": ["local:one"]})
        config["channels"]["local"]["accounts"]["one"] = {"greeting": "changed meanwhile"}
        await reread(daemon, config)
        row = (await daemon.status())["accounts"]["local:one"]
        assert (row["phase"], row["cause"]) == ("stopped", "held")
        await daemon.call("channels.start", {"accounts": ["local:one"]})
        await pids(daemon, "one")


async def test_a_channel_that_is_installed_meanwhile_needs_no_restart(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    async with Daemon(tmp_path, with_accounts(one={}), PYTHONPATH=str(packages)) as daemon:
        before = await pids(daemon, "one")
        early = Result(*await daemon.command("channels", "add", "fresh:a"))
        early.complains(78, "unknown channel")
        install(packages, "fresh")
        assert Result(*await daemon.command("channels", "add", "fresh:a")).code == 0
        await daemon.wait_phase("fresh:a", "running")
        assert await pids(daemon, "one") == before
