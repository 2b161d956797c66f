"""The table of requests: names, params, and what a target means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.requests import LinesParams, LoginAnswerParams, NoParams
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.api import table
from runtime.supervisor.api.accounts import TargetParams
from runtime.supervisor.api.table import METHODS, convert, find, select
from tests.support.accounts import Stage, account_of, agent_of, spec_of
from tests.support.parts_rig import PartsRig

A, B, C, MAIN = "local:a", "local:b", "irc:c", "agent:main"


def accounts() -> dict[str, Account]:
    specs = [*map(spec_of, (A, B, C)), agent_of("main")]
    return {spec.key: account_of(Stage(), spec) for spec in specs}


@pytest.mark.parametrize(
    ("targets", "chosen"),
    [
        ([], []),
        ([B, A], [B, A]),
        (["local", A], [A, B]),
        ([C, "*"], [C, A, B]),
        (["*", MAIN], [A, B, C, MAIN]),
        ([MAIN], [MAIN]),
    ],
)
async def test_a_target_is_a_key_a_channel_or_everything(
    targets: list[str], chosen: list[str]
) -> None:
    assert [account.key for account in select(accounts(), targets)] == chosen


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("irc:x", "unknown account 'irc:x'; known: local:a, local:b, irc:c"),
        ("agent:x", "unknown agent 'agent:x'; known: agent:main"),
        ("agent", "agents are not a channel: name each by its key, agent:ID"),
        ("telegram", "unknown channel 'telegram'; channels with accounts: irc, local"),
    ],
)
async def test_an_unknown_target_is_refused_with_the_known_ones(target: str, said: str) -> None:
    with pytest.raises(RemoteError, match=said):
        select(accounts(), [target])


def test_without_accounts_there_is_none_to_name() -> None:
    with pytest.raises(RemoteError, match="known: none"):
        find({}, A)
    with pytest.raises(RemoteError, match="channels with accounts: none"):
        select({}, ["irc"])
    assert select({}, ["*"]) == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"lines": -1}, "at /lines: must be >= 0"),
        ({"bogus": 1}, "unexpected property 'bogus'"),
        ({"accounts": "irc"}, "at /accounts"),
    ],
)
def test_params_that_are_wrong_are_named(raw: Any, said: str) -> None:
    with pytest.raises(
        RemoteError, match=f"INVALID_REQUEST: invalid channels.logs params: .*{said}"
    ):
        convert("channels.logs", LinesParams, raw)


async def test_an_unknown_method_is_the_callers_fault(tmp_path: Path) -> None:
    rig = PartsRig(tmp_path)
    with pytest.raises(RemoteError, match="INVALID_REQUEST: unknown method: explode"):
        await rig.ask("explode")
    rig.close()


async def test_what_is_carried_out_stands_in_the_history_of_changes(tmp_path: Path) -> None:
    rig, by = PartsRig(tmp_path), '"phone" (at 10.0.0.7)'
    parts = rig.parts
    await table.dispatch(parts, "channels.note", {"text": "a job was made"}, remote=True, by=by)
    later = {"reason": "x", "delayMs": 60_000}  # it is not carried out in this test
    await table.dispatch(parts, "gateway.restart.request", later, remote=True, by=by)
    await table.dispatch(parts, "version", {}, remote=True, by=by)
    with pytest.raises(RemoteError):
        await table.dispatch(parts, "channels.stop", {"accounts": ["x:y"]}, remote=True, by=by)
    found = (await rig.ask("changes.list"))["changes"]
    shown = [(each["text"], each["by"]) for each in found]
    assert shown == [("a job was made", by), ("gateway.restart.request: x", by)]
    assert (await rig.ask("changes.list", limit=1))["changes"] == found[1:]
    rig.close()


def test_a_change_is_told_by_its_accounts_and_its_reason_alone() -> None:
    params = TargetParams(accounts=[f"irc:{each}" for each in "abcdefg"], reason="night")
    said = "channels.stop irc:a, irc:b, irc:c, irc:d, irc:e and 2 more: night"
    assert table.describe_request("channels.stop", params) == said
    reloaded = {"revision": "r", "added": ["irc:a"], "removed": [], "changed": ["irc:b"]}
    told = table.describe_request("config.reload", NoParams(), reloaded)
    assert told == "config.reload added irc:a, changed irc:b"
    assert table.describe_request("config.reload", NoParams(), {"revision": "r"}) == "config.reload"
    answer = LoginAnswerParams(account="irc:a", prompt="p", text="a secret")
    assert table.describe_request("channels.login.answer", answer) == "channels.login.answer irc:a"


READS = {"channels.describe", "channels.events", "channels.holds", "channels.logs", "logs.tail"}
READS |= {"supervisor.status", "supervisor.warnings", "metrics", "version", "changes.list"}
READS |= {"config.get"}
READS |= {"config.validate", "config.schema", "config.schema.lookup"}
OWN = {"gateway.warnings", "agents.attached", "channels.note"}  # the gateway's; the last enters
OWN |= {"channels.login"}  # enters that it has begun one, not each question after it


def test_whatever_an_operator_changes_is_entered() -> None:
    assert {name for name, row in METHODS.items() if not row.changes} == READS | OWN


def test_importing_the_package_fills_the_table() -> None:
    families = {name.split(".")[0] for name in METHODS}
    assert families >= {"channels", "config", "gateway", "logs", "metrics", "supervisor", "secrets"}
    assert table.METHODS is METHODS
