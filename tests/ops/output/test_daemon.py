"""The lines about the supervisor and the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.output.daemon import gateway_report_lines, show_gateway
from tests.support.commandline import trunkline
from tests.support.fakeserver import BACKOFF, account, fake_supervisor, status

EVIL = "kaboom \x1b[31m[red]"


def rows() -> dict[str, object]:
    broken = BACKOFF | {"lastError": EVIL, "dropped": {"late": 2, "slow client": 0}}
    return status(account("local:demo"), account("irc:libera", **broken), outages=3)


async def test_the_table_has_everything_on_a_line(state: Path) -> None:
    async with fake_supervisor(state, supervisor__status=rows()):
        result = await trunkline(state, "status")
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


def test_a_gateway_without_its_session_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"phase": "running", "connected": False, "pid": 7, "outages": 2, "lastError": "x\x1b"}
    show_gateway(row)
    assert capsys.readouterr().out == "running, no session  pid 7  2 outages  x\\x1b\n"


def test_a_report_names_what_was_looked_at_and_what_was_found() -> None:
    report: dict[str, Any] = {
        "config": {"path": "/c", "exists": False},
        "target": "ws://x",
        "probe": None,
        "rpc": {"ok": False, "error": "late"},
        "lastErrorLine": "boom",
        "others": [{"name": "gateway#", "pid": 9, "url": None}],
    }
    assert gateway_report_lines(report) == [
        "configuration  /c  (does not exist)",
        "probe          ws://x  not asked",
        "rpc            failed: late",
        "last error     boom",
        "warning        another gateway runs: gateway# pid 9 port unknown",
    ]
    report["probe"] = {"ok": False, "url": "ws://x", "error": "refused"}
    assert gateway_report_lines(report)[1] == (
        "probe          ws://x  unreachable: refused; `trunkline doctor` finds out why"
    )
