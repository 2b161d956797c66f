"""What operators do with accounts, and what they are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.api import accounts
from runtime.supervisor.api.table import MAX_BY, METHODS, dispatch, shortened
from runtime.supervisor.lifecycle import Exit, Ready, Start, Stop
from tests.support.accounts import Stage, phase, spec_of
from tests.support.parts_rig import PartsRig
from tests.support.until import until

pytestmark = pytest.mark.virtual_time
A, B, OFF = "local:a", "local:b", "irc:off"
VERBS = [name for name, row in METHODS.items() if "accounts" in row.params.__struct_fields__]


class AccountsRig:
    """Parts with accounts on a stage, and what operators ask about them."""

    def __init__(self, directory: Path) -> None:
        self.stage = Stage()
        self.rig = PartsRig(directory, workers=self.stage, first_incarnation=100)
        self.parts = self.rig.parts

    @property
    def accounts(self) -> dict[str, Account]:
        return self.parts.accounts

    async def rows(self, name: str, *accounts: str, **params: Any) -> dict[str, Any]:
        answer = await self.rig.ask(name, accounts=list(accounts), **params)
        return {row["account"]: row for row in answer["results"]}

    async def refusal(self, name: str, **params: Any) -> str:
        with pytest.raises(RemoteError) as caught:
            await self.rig.ask(name, **params)
        return str(caught.value)

    async def run(self, key: str) -> Account:
        account = self.accounts[key]
        await until(lambda: account.child.process is not None)
        account.child.post(Ready(account.child.state.incarnation))
        await phase(account, Phase.RUNNING)
        return account

    async def why(self, key: str) -> tuple[str, str]:
        found = await self.rig.ask("channels.describe", account=key)
        return found["why"], found["next"]


@asynccontextmanager
async def accounts_rig(directory: Path, *running: str) -> AsyncIterator[AccountsRig]:
    """Have two accounts, which run unless ``running`` names others, and one that is disabled."""
    rig = AccountsRig(directory)
    for spec in (spec_of(A), spec_of(B), spec_of(OFF, enabled=False)):
        rig.parts.roster.add(spec)
    try:
        for key in running or (A, B):
            await rig.run(key)
        yield rig
    finally:
        await rig.parts.roster.close()
        rig.rig.close()


async def test_an_unknown_method_is_the_callers_fault(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        assert await rig.refusal("channels.explode") == (
            "INVALID_REQUEST: unknown method: channels.explode"
        )


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "must have required property 'accounts'"),
        ({"accounts": "irc:a"}, "/accounts"),
        ({"accounts": [], "bogus": 1}, "unexpected property 'bogus'"),
        ({"accounts": [], "reason": "x" * 501}, "/reason"),
    ],
)
async def test_wrong_params_are_named(tmp_path: Path, params: dict[str, Any], said: str) -> None:
    async with accounts_rig(tmp_path) as rig:
        refusal = await rig.refusal("channels.stop", **params)
        assert "invalid channels.stop params" in refusal
        assert said in refusal


@pytest.mark.parametrize("name", VERBS)
async def test_every_verb_knows_which_accounts_there_are(tmp_path: Path, name: str) -> None:
    async with accounts_rig(tmp_path) as rig:
        unknown = await rig.refusal(name, accounts=["irc:nobody"])
        assert unknown.endswith(f"unknown account 'irc:nobody'; known: {A}, {B}, {OFF}")
        assert (await rig.refusal(name, accounts=["telegram"])).endswith(
            "unknown channel 'telegram'; channels with accounts: irc, local"
        )


async def test_without_accounts_a_refusal_says_that_there_are_none(tmp_path: Path) -> None:
    rig = AccountsRig(tmp_path)
    assert (await rig.refusal("channels.stop", accounts=["irc:a"])).endswith("known: none")
    assert (await rig.refusal("channels.stop", accounts=["irc"])).endswith("accounts: none")
    assert await rig.rows("channels.stop", "*") == {}
    rig.rig.close()  # what it was asked stands in the history of changes, which a thread writes


async def test_targets_are_accounts_channels_or_all_each_once(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        assert list(await rig.rows("channels.reset", "local", A)) == [A, B]
        assert list(await rig.rows("channels.reset", B, "*")) == [B, A, OFF]


async def test_a_stop_is_on_disk_and_done_before_it_is_acknowledged(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        rows = await rig.rows("channels.stop", "local", reason="night")
        assert rows[A] == {
            "account": A,
            "ok": True,
            "outcome": "stopped",
            "stopped": True,
            "persisted": True,
        }
        assert list(rows) == [A, B]
        assert rig.stage.alive(A) == rig.stage.alive(B) == []
        assert Holds(tmp_path / "holds.json").all()[A].reason == "night"
        assert (await rig.why(A)) == (
            "stopped by an operator: night",
            f"nothing until `trunkline channels start {A}`",
        )


async def test_accounts_whose_hold_is_unknown_wait_for_a_person(tmp_path: Path) -> None:
    unknown = {"at": 1, "reason": "not known", "unknown": True}
    (tmp_path / "holds.json").write_text(json.dumps(dict.fromkeys((B, OFF), unknown)))
    async with accounts_rig(tmp_path, A) as rig:
        assert await rig.accounts[B].wait_until(lambda s: s.cause == "hold_unknown", 5.0)
        assert (await rig.why(B))[0] == "not known"
        rig.accounts[B].child.post(Start(automatic=True))
        answer = await rig.rig.ask("channels.start.unknown")
        rows = {row["account"]: row for row in answer["results"]}
        assert (list(rows), rows[B]["ok"], rows[OFF]["ok"]) == ([B, OFF], True, False)
        assert await rig.accounts[B].wait_until(lambda state: state.wanted, 5.0)
        assert list(rig.parts.holds.all()) == [OFF]  # it may not run: it was not released


async def test_a_stop_of_one_that_is_disabled_anyway_is_kept_and_says_so(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        row = (await rig.rows("channels.stop", OFF, reason="night"))[OFF]
        assert (row["ok"], row["outcome"]) == (True, "stopped")
        assert row["note"] == "it is disabled anyway; it stays stopped when that changes"
        account = rig.accounts[OFF]
        assert account.child.state.cause == "disabled"
        assert account.hold is not None
        rig.parts.roster.apply_specs({OFF: spec_of(OFF)})
        assert await account.wait_until(lambda state: state.cause == "held", 10.0)
        assert "note" not in (await rig.rows("channels.stop", OFF))[OFF]


async def test_a_stop_need_not_be_waited_for(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        rig.stage.puppets[0].deaf = True
        rows = await rig.rows("channels.stop", A, wait=False)
        assert "stopped" not in rows[A]
        assert rows[A]["ok"]
        await phase(rig.accounts[A], Phase.STOPPING)
        assert (await rig.why(A))[1] == "it ends, or is killed after `restart.stopWithinSeconds`"


async def test_a_stop_that_takes_too_long_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "STOP_MARGIN", -1.0)
    async with accounts_rig(tmp_path) as rig:
        rig.stage.puppets[0].deaf = True
        row = (await rig.rows("channels.stop", A))[A]
        assert (row["ok"], row["stopped"], row["outcome"]) == (False, False, "stopping")
        assert row["error"] == "still stopping after 4 s"
        assert row["persisted"]


async def test_a_hold_that_cannot_be_written_stops_all_the_same(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    async with accounts_rig(missing) as rig:
        row = (await rig.rows("channels.stop", A))[A]
        assert (row["ok"], row["stopped"], row["persisted"]) == (True, True, False)
        assert "could not be written" in row["error"]
        row = (await rig.rows("channels.start", A))[A]
        assert (row["ok"], row["persisted"], row["outcome"]) == (True, False, "handed-off")


async def test_a_start_releases_the_hold_and_does_not_wait(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        await rig.rows("channels.stop", A)
        rows = await rig.rows("channels.start", A, OFF)
        assert rows[A] == {
            "account": A,
            "ok": True,
            "persisted": True,
            "outcome": "handed-off",
        }
        assert rows[OFF] == {
            "account": OFF,
            "ok": False,
            "outcome": "skipped",
            "reason": "disabled",
            "error": "disabled in the configuration",
        }
        await until(lambda: rig.stage.alive(A) == [102])
        assert rig.stage.turns[-1] == (A, True)
        assert rig.parts.holds.all() == {}
        assert (await rig.why(A))[1] == "it becomes ready, or is stopped and tried again later"


async def test_a_start_ends_a_backoff(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        rig.stage.puppets[0].die(Exit(code=1, text="no route"))
        await phase(rig.accounts[A], Phase.BACKOFF)
        assert (await rig.why(A))[0] == "no route"
        assert "does it now" in (await rig.why(A))[1]
        assert (await rig.rows("channels.start", A))[A]["outcome"] == "handed-off"
        await until(lambda: rig.stage.alive(A) == [102])
        assert rig.accounts[A].child.state.failures == 0


async def test_starting_what_runs_changes_nothing(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        row = (await rig.rows("channels.start", A))[A]
        assert (row["ok"], row["outcome"], row["reason"]) == (True, "skipped", "task-owned")
        assert rig.stage.alive(A) == [101]
        assert (await rig.why(A)) == (
            "it runs, but is degraded: not connected",
            "it continues automatically once that is corrected",
        )


async def test_a_start_right_after_a_stop_wins(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        stopping = asyncio.create_task(rig.rows("channels.stop", A))
        starting = asyncio.create_task(rig.rows("channels.start", A))
        await asyncio.gather(starting)
        await until(lambda: rig.stage.alive(A) == [102])
        assert rig.parts.holds.all() == {}
        await stopping


async def test_a_restart_replaces_the_process(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        rows = await rig.rows("channels.restart", A, OFF)
        assert (rows[A]["incarnation"], rows[A]["outcome"]) == (101, "handed-off")
        assert not rows[OFF]["ok"]
        await until(lambda: rig.stage.alive(A) == [102])
        assert rig.accounts[A].child.state.failures == 0
        assert rig.stage.alive(B) == [101]


async def test_a_restart_starts_what_a_person_had_stopped(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        await rig.rows("channels.stop", A)
        await rig.rows("channels.restart", A)
        await until(lambda: rig.stage.alive(A) == [102])
        assert rig.parts.holds.all() == {}


async def test_a_reset_forgives_the_failures(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        rig.stage.puppets[0].die(Exit(code=1))
        await phase(rig.accounts[A], Phase.BACKOFF)
        assert (await rig.rows("channels.reset", A))[A]["outcome"] == "reset"
        assert await rig.accounts[A].wait_until(lambda state: state.failures == 0, 1.0)


async def test_describe_tells_everything_about_one_account(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        rig.rig.logs.lines = [{"text": "hello"}]
        found = await rig.rig.ask("channels.describe", account=A)
        assert found["status"]["phase"] == "running"
        assert (found["identity"], found["name"]) == ("a unix socket", None)
        assert found["configRevision"] == rig.rig.configuration.revision
        assert found["lines"] == [{"text": "hello"}]
        assert rig.rig.logs.asked == [([A], 20)]
        assert [event["phase"] for event in found["events"]] == ["starting", "running"]
        assert found["events"] == (await rig.rig.ask("channels.events", account=A))["events"]
        assert "unknown account" in await rig.refusal("channels.describe", account="irc:x")


async def test_each_cause_of_a_stop_is_explained(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        assert (await rig.why(OFF)) == (
            "disabled in the configuration",
            "nothing until its configuration changes",
        )
        rig.stage.puppets[0].die(Exit(code=0, said="finished", text="the room is closed"))
        await phase(rig.accounts[A], Phase.STOPPED)
        assert (await rig.why(A)) == (
            "the room is closed",
            f"nothing until `trunkline channels start {A}`",
        )
        rig.stage.puppets[1].die(Exit(code=77, said="needs_login", text="try later"))
        await phase(rig.accounts[B], Phase.BACKOFF)
        assert "after several refusals a person is needed" in (await rig.why(B))[1]
        await rig.rows("channels.start", B)
        await phase(rig.accounts[B], Phase.STARTING)
        await until(lambda: rig.stage.alive(B) != [])
        rig.stage.puppets[-1].die(
            Exit(code=77, said="needs_login", text="token expired", final=True)
        )
        await phase(rig.accounts[B], Phase.FAILED)
        assert (await rig.why(B))[0] == "token expired"
        assert "nothing until a person acts: " in (await rig.why(B))[1]
        rig.accounts[A].child.post(Stop("removed"))
        assert await rig.accounts[A].wait_until(lambda state: state.cause == "removed", 1.0)
        assert (await rig.why(A))[0] == "removed"


async def test_a_hold_without_a_reason_is_told_without_one(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        await rig.rows("channels.stop", A)
        assert (await rig.why(A))[0] == "stopped by an operator"
        assert set((await rig.rig.ask("channels.holds"))["holds"]) == {A}


async def test_changes_of_operators_are_in_the_history_with_their_author(tmp_path: Path) -> None:
    async with accounts_rig(tmp_path) as rig:
        account = await rig.run(A)
        for name, params in (
            ("channels.stop", {"accounts": [A], "reason": "night"}),
            ("channels.start", {"accounts": [A]}),
            ("channels.note", {"account": A, "text": "a person was blocked"}),
        ):
            await dispatch(rig.parts, name, params, remote=True, by="Ada's\nlaptop " + "x" * 200)
        said = [each for each in account.history if each.get("by")]
        assert {each["by"] for each in said} == {shortened("Ada's\nlaptop " + "x" * 200)}
        assert [each["text"] for each in said] == [
            "night",
            "started by an operator",
            "a person was blocked",
        ]
        assert [each.get("note", False) for each in said] == [False, False, True]
        await rig.rows("channels.stop", A)
        assert account.hold is not None
        assert account.hold.by is None, "nothing says who asked here"


def test_the_name_of_an_operator_is_shortened_to_one_line() -> None:
    assert shortened("Ada's\x1b[31m\nlaptop") == "Ada's [31m laptop"
    assert len(shortened("x" * 1000)) == MAX_BY
