"""``status`` for scripts, and which accounts it shows."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from ipc.frames.status import Status
from tests.support.commandline import trunkline
from tests.support.fakeserver import BACKOFF, account, fake_gateway, fake_supervisor, status

EVIL = "kaboom \x1b[31m[red]"


def rows() -> dict[str, object]:
    broken = BACKOFF | {"lastError": EVIL, "dropped": {"late": 2, "slow client": 0}}
    return status(account("local:demo"), account("irc:libera", **broken), outages=3)


async def test_json_is_the_whole_status(state: Path) -> None:
    async with fake_supervisor(state, supervisor__status=rows()):
        result = await trunkline(state, "status", "--json")
    assert result.code == 0
    found = msgspec.convert(result.json, Status)
    assert found.gateway.pid == 100
    assert [row.account for row in found.accounts] == ["local:demo", "irc:libera"]


async def test_what_operators_have_changed_is_a_table_with_the_age_that_is_asked_for(
    state: Path,
) -> None:
    now = int(time.time() * 1000)
    made = [
        {"at": now - 7_200_000, "text": "channels.stop irc:libera", "by": None},
        {"at": now - 60_000, "text": EVIL, "by": '"phone" (at 10.0.0.7)'},
    ]
    async with fake_supervisor(state, changes__list={"changes": made}):
        shown = await trunkline(state, "history")
        recent = await trunkline(state, "history", "--since", "1h", "--json")
    assert "channels.stop irc:libera" in shown.out
    assert "\x1b" not in shown.out
    assert recent.json["changes"] == made[1:]


async def test_keys_and_channels_choose_accounts(state: Path) -> None:
    async with fake_supervisor(state, supervisor__status=rows()):
        for wanted in ("irc", "irc:libera"):
            result = await trunkline(state, "channels", "status", wanted, "--json")
            assert [row["account"] for row in result.json["accounts"]] == ["irc:libera"]


async def test_through_a_gateway_openclaws_rows_are_understood(state: Path) -> None:
    snapshots = [
        {"accountId": "main", "running": True, "lifecycle": "ready", "reconnectAttempts": 0},
        {"accountId": "two", "running": False, "lifecycle": "recovering", "lastError": "x"},
    ]
    answer = {"channelAccounts": {"telegram": snapshots}}
    async with fake_gateway(channels__status=answer) as fake:
        result = await trunkline(
            state,
            "status",
            "--json",
            OPENCLAW_GATEWAY_URL=fake.url,
            OPENCLAW_GATEWAY_TOKEN="secret",
        )
    phases = {row["account"]: row["phase"] for row in result.json["accounts"]}
    assert phases == {"telegram:main": "running", "telegram:two": "backoff"}
    assert fake.hellos[0]["client"]["mode"] == "backend"
