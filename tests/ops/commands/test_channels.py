"""Account verbs: what is asked for, what is said, when it counts as done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine
from tests.support.commandline import trunkline
from tests.support.fakeserver import (
    HELD,
    NOW,
    fake_supervisor,
)


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"results": list(rows)}


async def test_all_and_reason_are_passed_on(state: Path) -> None:
    row = {"account": "irc:libera", "ok": True, "outcome": "stopped", "persisted": True}
    async with fake_supervisor(state, channels__stop=results(row)) as fake:
        args = ("channels", "stop", "--all", "--reason", "moving house", "--json")
        result = await trunkline(state, *args)
    assert result.json == results(row)
    assert ("channels.stop", {"accounts": ["*"], "reason": "moving house"}) in fake.asked


async def test_events_and_holds_are_tables(state: Path) -> None:
    event = {"at": NOW, "phase": "backoff", "cause": "crashed", "text": "boom", "incarnation": 3}
    held = {"irc:libera": dict(HELD["hold"]), "local:demo": HELD["hold"]}
    methods = {"channels__events": {"events": [event]}, "channels__holds": {"holds": held}}
    async with fake_supervisor(state, **methods):
        events = await trunkline(state, "channels", "events", "irc:libera")
        none = await trunkline(state, "channels", "events", "irc:libera", "--since", "1s")
        holds = await trunkline(state, "channels", "holds", "irc")
        held["irc:libera"]["persisted"] = False
        unsaved = await trunkline(state, "channels", "holds", "irc")
        unknown = await trunkline(state, "channels", "holds", "nope:x")
        held.clear()
        nothing = await trunkline(state, "channels", "holds")
    assert nothing.out == "none\n"
    unknown.complains(ExitCode.ERROR, "known: local:demo, irc:libera")
    assert "no: forgotten at the next start" in unsaved.out
    assert "forgotten" not in holds.out
    assert "boom" in events.out
    assert none.out == "none\n"
    assert "moving house" in holds.out
    assert "local:demo" not in holds.out


def test_the_list_names_the_channel_and_the_identity(cli: CommandLine, state: Path) -> None:
    (state / "trunkline.json5").write_text("{channels: {local: {accounts: {demo: {}}}}}")
    told = cli("channels list").out.splitlines()
    channel, identity = (told[0].index(name) for name in ("CHANNEL", "IDENTITY"))
    assert told[1][channel:].startswith("local ")
    assert told[1][identity:].startswith("unix socket")


def test_a_list_without_accounts_says_how_one_is_added(cli: CommandLine, state: Path) -> None:
    (state / "trunkline.json5").write_text("{}")
    assert "no accounts; add one with `trunkline " in cli("channels list").out
    assert cli("channels list --json").json == {"accounts": []}
