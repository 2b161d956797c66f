"""``status`` for scripts and for people."""

from __future__ import annotations

import asyncio
import os
import pty
from pathlib import Path

import msgspec

from ipc.frames.status import Status
from tests.support.commandline import PROGRAM, environment, trunkline
from tests.support.fakeserver import BACKOFF, account, fake_gateway, fake_supervisor, status

EVIL = "kaboom \x1b[31m[red]"


def rows() -> dict[str, object]:
    broken = BACKOFF | {"lastError": EVIL, "dropped": {"late": 2, "slow client": 0}}
    return status(account("local:demo"), account("irc:libera", **broken), outages=3)


async def test_json_is_the_whole_status(home: Path) -> None:
    async with fake_supervisor(home, supervisor__status=rows()):
        result = await trunkline(home, "status", "--json")
    assert result.code == 0
    found = msgspec.convert(result.json, Status)
    assert found.gateway.pid == 100
    assert [row.account for row in found.accounts] == ["local:demo", "irc:libera"]


async def test_the_table_has_everything_on_a_line(home: Path) -> None:
    async with fake_supervisor(home, supervisor__status=rows()):
        result = await trunkline(home, "status")
    assert "\x1b" not in result.out
    assert "supervisor  pid 99" in result.out
    assert "gateway     running  pid 100  ws://127.0.0.1:1  3 outages" in result.out
    lines = result.out.splitlines()
    demo = next(line for line in lines if line.startswith("local:demo"))
    assert demo.split()[1:3] == ["running", "4711"]
    assert demo.split()[-7:] == ["0", "7.0", "MiB", "1.5", "%", "12", "5"]
    libera = next(line for line in lines if line.startswith("irc:libera"))
    assert "late=2" in libera
    assert "slow" not in libera
    assert "kaboom \\x1b[31m[red]" in libera


async def test_keys_and_channels_choose_accounts(home: Path) -> None:
    async with fake_supervisor(home, supervisor__status=rows()):
        for wanted in ("irc", "irc:libera"):
            result = await trunkline(home, "channels", "status", wanted, "--json")
            assert [row["account"] for row in result.json["accounts"]] == ["irc:libera"]


async def test_on_a_terminal_the_table_has_colours_and_no_foreign_escapes(home: Path) -> None:
    async with fake_supervisor(home, supervisor__status=rows()):
        master, slave = pty.openpty()
        try:
            process = await asyncio.create_subprocess_exec(
                *PROGRAM, "status", stdout=slave, env=environment(home, TERM="xterm", COLUMNS="250")
            )
            async with asyncio.timeout(20):
                assert await process.wait() == 0
            shown = os.read(master, 65536).decode()
        finally:
            os.close(master)
            os.close(slave)
    assert "\x1b[32mrunning" in shown
    assert "\\x1b[31m[red]" in shown


async def test_no_accounts_say_how_to_add_one(home: Path) -> None:
    async with fake_supervisor(home, supervisor__status=status(phase="backoff", lastError="oh")):
        result = await trunkline(home, "status")
    assert "channels add" in result.out
    assert "oh" in result.out


async def test_through_a_gateway_openclaws_rows_are_understood(home: Path) -> None:
    snapshots = [
        {"accountId": "main", "running": True, "lifecycle": "ready", "reconnectAttempts": 0},
        {"accountId": "two", "running": False, "lifecycle": "recovering", "lastError": "x"},
    ]
    answer = {"channelAccounts": {"telegram": snapshots}}
    async with fake_gateway(channels__status=answer) as fake:
        result = await trunkline(
            home,
            "status",
            "--json",
            OPENCLAW_GATEWAY_URL=fake.url,
            OPENCLAW_GATEWAY_TOKEN="secret",
        )
    phases = {row["account"]: row["phase"] for row in result.json["accounts"]}
    assert phases == {"telegram:main": "running", "telegram:two": "backoff"}
    assert fake.hellos[0]["client"]["mode"] == "backend"
