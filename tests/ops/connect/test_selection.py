"""Keys, channels and all accounts, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.connect.selection import agent_key, chosen, split, targets
from ops.exits import ExitCode, OperatorError, UsageFailure
from tests.support.commandline import trunkline
from tests.support.fakeserver import (
    fake_supervisor,
)


async def test_an_unknown_account_is_an_error_that_names_those_that_exist(state: Path) -> None:
    async with fake_supervisor(state):
        for command in (["status", "irc"], ["wait", "irc:x"], ["watch", "irc:x"]):
            result = await trunkline(state, *command)
            result.complains(ExitCode.ERROR, command[1], "known: local:demo")


ROWS = [{"account": key} for key in ("irc:a", "irc:b", "local:demo", "agent:main")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], ["irc:a", "irc:b", "local:demo"]),
        (["irc"], ["irc:a", "irc:b"]),
        (["irc:b", "local"], ["irc:b", "local:demo"]),
        (["*"], ["irc:a", "irc:b", "local:demo"]),
        (["irc:a", "agent:main"], ["irc:a", "agent:main"]),
    ],
)
def test_rows_are_chosen_by_key_by_channel_or_all(wanted: list[str], found: list[str]) -> None:
    assert [row["account"] for row in chosen(ROWS, wanted)] == found


@pytest.mark.parametrize("name", ["ir", "irc:", "irc:c", ":a", "a", "agent"])
def test_a_name_that_no_account_has_is_an_error(name: str) -> None:
    with pytest.raises(OperatorError, match=r"unknown account or channel .*; known: irc:a, irc:b"):
        chosen(ROWS, ["irc:a", name])


def test_an_agent_is_typed_by_its_id_or_its_key() -> None:
    assert agent_key("main") == agent_key("agent:main") == "agent:main"
    for name in ("", "agent:", "irc:a", "a b", "-x"):
        with pytest.raises(UsageFailure, match="is not an agent; write its id"):
            agent_key(name)
    with pytest.raises(OperatorError, match="unknown agent 'agent:x'; known: agent:main"):
        chosen(ROWS, ["agent:x"])


def test_a_target_is_asked_for_once() -> None:
    assert targets(["irc:a", "irc:b", "irc:a"], False) == ["irc:a", "irc:b"]
    assert targets(None, True) == ["*"]


@pytest.mark.parametrize("key", ["", ":", "irc", "irc:", ":a"])
def test_a_key_has_a_channel_and_a_name(key: str) -> None:
    assert split("irc:a") == ("irc", "a")
    with pytest.raises(UsageFailure, match="CHANNEL:NAME"):
        split(key)
