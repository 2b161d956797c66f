"""Disks that are full or read-only: what runs goes on, and what was not written is reported."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import Result
from tests.support.daemon import ECHO, FAST, Daemon
from tests.support.ordinary_user import obedient
from tests.support.person import talking
from tests.support.tiny_disk import fill, tiny_disk
from tests.support.until import PATIENCE

pytestmark = pytest.mark.e2e

LOCAL: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}, "two": {}}}}}


async def both_running(daemon: Daemon) -> dict[str, Any]:
    for key in ("local:one", "local:two"):
        await daemon.wait_phase(key, "running")
    return dict((await daemon.status())["accounts"])


async def stops_without_remembering(daemon: Daemon, key: str) -> None:
    """Stop an account where that cannot be written: done, said, and told apart by scripts."""
    result = Result(*await daemon.command("channels", "stop", key, "--json"))
    assert result.code == 1
    (row,) = result.json["results"]
    assert (row["ok"], row["stopped"], row["persisted"]) == (True, True, False)
    assert "could not be written" in result.err
    assert (await daemon.status())["accounts"][key]["phase"] == "stopped"


async def says(daemon: Daemon, process: str, text: str) -> None:
    """Wait until a process has logged a text; on a full disk its lines are kept in memory."""
    asked = {"accounts": [process], "lines": 20}
    async with asyncio.timeout(PATIENCE):
        while text not in str(await daemon.call("channels.logs", asked)):  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.05)


async def starts_again(daemon: Daemon, key: str, *, persisted: bool) -> None:
    (row,) = (await daemon.call("channels.start", {"accounts": [key]}))["results"]
    assert row["persisted"] is persisted
    await daemon.wait_phase(key, "running")


async def test_a_disk_that_fills_up_stops_nothing(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "state") as disk:
        async with Daemon(tmp_path, ECHO | LOCAL) as daemon:
            before = await both_running(daemon)
            filler = fill(disk)
            await stops_without_remembering(daemon, "local:one")
            await starts_again(daemon, "local:one", persisted=False)
            wanted = {"accounts": ["supervisor"], "lines": 1}  # kept in memory meanwhile
            (line,) = (await daemon.call("channels.logs", wanted))["lines"]
            assert line["account"] == "supervisor"
            assert not list(disk.glob(".holds*"))
            async with talking(daemon, "two") as person:
                # An answer is stored before it is sent, so it waits for room: the second one, too,
                # which finds the fault of the journal.
                answered = asyncio.create_task(person.is_answered("still there"))
                await says(daemon, "gateway", "the journal stores nothing")
                async with talking(daemon, "one") as other:
                    second = asyncio.create_task(other.is_answered("and here"))
                    await daemon.wait(lambda now: now["accounts"]["local:one"]["messagesIn"] == 1)
                    filler.unlink()
                    await answered
                    await second
            stop = {"accounts": ["local:one"], "reason": "room again"}
            (row,) = (await daemon.call("channels.stop", stop))["results"]
            assert row["persisted"] is True
            assert (await daemon.status())["accounts"]["local:two"]["pid"] == before["local:two"][
                "pid"
            ]
            boot = (await daemon.status())["supervisor"]["boot"]
            assert daemon.end() == 0
        fill(disk)
        async with Daemon(tmp_path, LOCAL) as again:
            await again.wait_phase("local:two", "running")
            status = await again.status()
            assert status["accounts"]["local:one"]["cause"] == "held"
            assert status["supervisor"]["boot"] > boot


JOB = ("cron", "add", "--name", "n", "--every", "1h", "--message", "m", "--no-deliver")
ASK = ("agent", "--agent", "echo", "--message", "hi", "--timeout", "40")
TALK = ("chat", "local:one", "-m", "hi", "--timeout", "40")


@pytest.mark.slow
@pytest.mark.parametrize("opened", [False, True], ids=["first of all", "after others"])
@pytest.mark.parametrize("first", [JOB, ASK, TALK], ids=["cron", "agent", "chat"])
async def test_the_first_request_on_a_full_disk_reports_it_soon(
    tmp_path: Path, first: tuple[str, ...], opened: bool
) -> None:
    """Typical is one second; it was ten to thirty."""
    with tiny_disk(tmp_path / "state", 64 if opened else 1) as disk:
        async with Daemon(tmp_path, ECHO | LOCAL) as daemon:
            await both_running(daemon)
            if opened:
                assert (await daemon.command(*JOB))[0] == 0
            filler = fill(disk)
            begin = time.monotonic()
            code, _, err = await daemon.command(*first)
            assert time.monotonic() - begin < 20
            # What an earlier commit has left room for may still be stored, and answered.
            assert code == 0 or re.search("disk (is )?full", err), err
            filler.unlink()


SEND = ("message", "send", "--account", "local:one", "--target", "x", "--message", "m")
NO_SPACE, NOTHING_STORED = "No space left on device", "nothing can be stored: disk full"
# What each command that writes says on a disk on which everything lies, its configuration too.
FIRST_WRITES = {
    ("config", "patch", "{logging: {level: 'debug'}}"): ("trunkline.json5: cannot", NO_SPACE),
    ("channels", "add", "local:three"): ("trunkline.json5: cannot be written", NO_SPACE),
    ("channels", "remove", "local:two"): ("trunkline.json5: cannot be written", NO_SPACE),
    ("agents", "add", "second", "kind=echo"): ("trunkline.json5: cannot be written", NO_SPACE),
    ("import", "openclaw", "ORIGINAL", "--write", "--force"): ("trunkline.json5: ", NO_SPACE),
    SEND: (NOTHING_STORED, "it is sent if there is room again within"),
    (*SEND, "--media", "/etc/hostname"): (NOTHING_STORED,),
    (*SEND, "--queue"): (NOTHING_STORED,),
    ("pairing", "block", "local:one", "x"): (NOTHING_STORED, "done once there is room again"),
    JOB: (NOTHING_STORED,),
    ASK: (NOTHING_STORED,),
    ("backup", "--to", "COPY"): ("has no room",),
    ("channels", "stop", "local:two"): ("could not be written",),
}


@pytest.mark.slow
async def test_the_first_write_on_a_full_disk_reports_it_and_keeps_the_old_file(
    tmp_path: Path,
) -> None:
    """Typical is one second each."""
    original = tmp_path / "openclaw.json"
    original.write_text('{"gateway": {"auth": {"token": "t"}}}')
    accounts = {"one": {"journal": "on"}, "two": {}}
    with tiny_disk(tmp_path / "home") as disk:
        async with Daemon(disk, ECHO | {"channels": {"local": {"accounts": accounts}}}) as daemon:
            await both_running(daemon)
            fill(disk)
            text = daemon.config_path.read_text()
            for command, said in FIRST_WRITES.items():
                places = {"ORIGINAL": str(original), "COPY": str(disk / "copy.db")}
                begin = time.monotonic()
                code, out, err = await daemon.command(*(places.get(each, each) for each in command))
                assert time.monotonic() - begin < 20, command
                assert code == 1, (command, out, err)
                assert err.count("\n") == 1, err
                for words in said:
                    assert words in err, command
                assert "Traceback" not in out + err
                assert daemon.config_path.read_text() == text
                assert not list(disk.glob("**/.*.new")), command
            (disk / "filler").unlink()


async def test_a_limit_on_file_sizes_is_a_full_disk(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        await both_running(daemon)
        old = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        await stops_without_remembering(daemon, "local:one")
        await starts_again(daemon, "local:one", persisted=False)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, old)
        await starts_again(daemon, "local:one", persisted=True)


async def test_a_state_directory_that_becomes_read_only_stops_nothing(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, LOCAL)
    daemon.prefix = obedient()
    state = tmp_path / "state"
    async with daemon:
        await both_running(daemon)
        for directory in (state, state / "logs", state / "accounts"):
            directory.chmod(0o500)
        try:
            await stops_without_remembering(daemon, "local:one")
            await starts_again(daemon, "local:one", persisted=False)
            os.kill((await daemon.status())["accounts"]["local:two"]["pid"], 9)
            await daemon.wait_phase("local:two", "running")
        finally:
            for directory in (state, state / "logs", state / "accounts"):
                directory.chmod(0o700)


async def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    parent = tmp_path / "closed"
    parent.mkdir(mode=0o500)
    daemon = Daemon(tmp_path, LOCAL, TRUNKLINE_STATE_DIR=str(parent / "state"))
    daemon.prefix = obedient()
    for command in (["up"], ["up", "--detach"]):
        result = Result(*await daemon.command(*command))
        result.complains(1, str(parent / "state"), "Permission denied")
    await daemon.__aexit__()


async def test_a_configuration_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    daemon = Daemon(home, LOCAL)
    daemon.prefix = obedient()
    text = daemon.config_path.read_text()
    home.chmod(0o500)
    try:
        result = Result(*await daemon.command("channels", "add", "local:three"))
        assert result.code != 0
        assert str(daemon.config_path) in result.err
        assert "Permission denied" in result.err
        assert daemon.config_path.read_text() == text
    finally:
        home.chmod(0o700)
    await daemon.__aexit__()


JOURNALED: dict[str, Any] = {
    "agents": {"default": "echo"},
    "queue": {"mode": "followup", "cap": 1000},
    "channels": {"local": {"journal": "on", "accounts": {"one": {}, "two": {}}}},
    "supervisor": {"restart": {**FAST, "stopWithinSeconds": 60}},
}


async def test_a_full_journal_holds_messages_back_and_loses_none(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "state", 16) as disk:
        async with Daemon(tmp_path, JOURNALED) as daemon:
            before = await both_running(daemon)
            async with talking(daemon, "one") as one, talking(daemon, "two") as two:
                await one.is_answered("there is room")
                await two.is_answered("there is room")
                await daemon.wait(lambda status: not _row(status, "one")["queued"])
                await daemon.wait(lambda status: not _row(status, "two")["queued"])
                filler = fill(disk)
                said = 0
                async with asyncio.timeout(PATIENCE):
                    while not (await daemon.status())["supervisor"]["warnings"]:
                        one.says(f"n{said}")  # what the file has room for is stored all the same
                        said += 1
                for account in ("one", "two"):
                    row = _row(await daemon.status(), account)
                    assert row["health"] == "degraded: journal full"
                one.says(*(f"n{number}" for number in range(said, said + 9)))
                two.says("a", "b", "c")
                await daemon.wait(lambda status: _row(status, "one")["queued"] >= 9)
                await daemon.wait(lambda status: _row(status, "two")["queued"] == 3)
                began = time.monotonic()
                (row,) = (await daemon.call("channels.stop", {"accounts": ["local:two"]}))[
                    "results"
                ]
                assert time.monotonic() - began < 30  # of a grace of 60
                assert (row["stopped"], row["unconfirmed"]) == (True, 3)
                status = await daemon.status()
                assert _row(status, "two")["possiblyLost"] == 3
                events = (await daemon.call("channels.events", {"account": "local:two"}))["events"]
                assert "3 of its messages stay unconfirmed" in events[-1]["text"]
                filler.unlink()
                assert await one.hears(said + 9) == [f"echo: n{n}" for n in range(said + 9)]
                await one.is_answered("and on")
                await daemon.wait(lambda status: _row(status, "one")["health"] == "ok")
                assert _row(await daemon.status(), "one")["pid"] == before["local:one"]["pid"]
            assert daemon.end() == 0
        journal = sqlite3.connect(disk / "journal.db")
        (ids,) = journal.execute("SELECT sum(count) FROM ids").fetchone()
        journal.close()
        # What was not confirmed at the stop is stored all the same.
        assert ids == 2 + said + 9 + 3 + 1


def _row(status: dict[str, Any], account: str) -> dict[str, Any]:
    return dict(status["accounts"][f"local:{account}"])
