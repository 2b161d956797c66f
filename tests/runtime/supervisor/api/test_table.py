from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.status import GatewayStatus, Hold, Status, SupervisorStatus
from ipc.frames.words import Phase
from runtime.config.accounts import AccountSpec
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.explain import what_next, why
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.accounts.roster import Roster
from runtime.supervisor.api import table
from runtime.supervisor.api.table import METHODS
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.gateways.restarts import Outcome, RestartAnswer
from runtime.supervisor.lifecycle import Exit, Ready, State, Stop
from tests.support.accounts import Stage, account_of, phase, spec_of
from tests.support.players import PlayedLogs
from tests.support.until import until

pytestmark = pytest.mark.virtual_time
A, B, OFF = "local:a", "local:b", "irc:off"
VERBS = [name for name, (params, _) in METHODS.items() if "accounts" in params.__struct_fields__]


class PlayedFront:
    """Stands for a ``ManagedGateway``: comes up or goes down at once, or never."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.connected = False
        self.obedient = True
        self.taken: PortTaken | None = None
        self.spawned = 1
        self.answer = RestartAnswer(Outcome.NOW)
        self.wrong: str | None = None
        self.kind = SimpleNamespace(name="own")
        policy = SimpleNamespace(stop_within=5.0, ready_within=90.0)
        self.child = SimpleNamespace(state=State(), policy=policy)
        self.waited = 0.0

    def start(self) -> None:
        self._do("start")
        self.connected = self.obedient

    def stop(self) -> None:
        self._do("stop")
        self.connected = False
        if not self.obedient:
            self.child.state = State(phase=Phase.STOPPING)

    def restart(self) -> RestartAnswer:
        self._do("restart")
        self.connected = True
        self.spawned += self.obedient
        return self.answer

    async def open(self, *, force: bool) -> None:
        assert force
        self._do("open by force")

    async def shut_down(self) -> str | None:
        self._do("shut_down")
        return self.wrong

    async def until(self, true: Any, timeout: float) -> bool:
        self.waited = timeout
        return bool(true())

    def status(self) -> GatewayStatus:
        return GatewayStatus(phase="running")

    def _do(self, what: str) -> None:
        self.did.append(what)
        if self.taken is not None:
            raise self.taken


class Desk:
    """What commands need of a supervisor, with accounts on a stage."""

    def __init__(self, directory: Path) -> None:
        self.stage = Stage()
        self.holds = Holds(directory / "holds.json")
        self.roster = Roster(
            self.holds, first_incarnation=100, make=self._make, on_removed=lambda key: None
        )
        self.front = PlayedFront()
        self.logs = PlayedLogs()
        self.hastened: list[str] = []
        self.stopping = False
        self.version, self.pid = "1.2", 4711
        self.limits_by = "polling"
        self.loaded = SimpleNamespace(revision="r1")
        self.stopped_for: list[str] = []

    def _make(self, spec: AccountSpec, first: int, hold: Hold | None) -> Account:
        return account_of(self.stage, spec, first_incarnation=first, hold=hold)

    @property
    def accounts(self) -> dict[str, Account]:
        return self.roster.accounts

    def hasten(self, account: Account) -> None:
        self.hastened.append(account.key)

    def request_stop(self, reason: str) -> None:
        self.stopped_for.append(reason)

    async def reread(self) -> dict[str, Any]:
        return {"revision": "r2"}

    def status(self) -> Status:
        own = SupervisorStatus(4711, "1.2", 1, 0, "", "", "")
        rows = [account.status() for account in self.accounts.values()]
        return Status(own, self.front.status(), rows)

    async def ask(self, name: str, **params: Any) -> Any:
        answer = await table.dispatch(self, name, params)  # type: ignore[arg-type]
        msgspec.json.encode(answer)
        return answer

    async def rows(self, name: str, *accounts: str, **params: Any) -> dict[str, Any]:
        answer = await self.ask(name, accounts=list(accounts), **params)
        return {row["account"]: row for row in answer["results"]}

    async def refusal(self, name: str, **params: Any) -> str:
        with pytest.raises(RemoteError) as caught:
            await self.ask(name, **params)
        return str(caught.value)

    async def run(self, key: str) -> Account:
        account = self.accounts[key]
        await until(lambda: account.child.process is not None)
        account.child.post(Ready(account.child.state.incarnation))
        await phase(account, Phase.RUNNING)
        return account

    def why(self, key: str) -> tuple[str, str]:
        account = self.accounts[key]
        state, obstacle = account.child.state, self.roster.obstacle(account)
        return (
            why(state, obstacle[1] if obstacle else None, account.hold),
            what_next(key, state, held=account.hold is not None),
        )


@asynccontextmanager
async def desk(directory: Path) -> AsyncIterator[Desk]:
    """A desk with two running accounts and one that is disabled."""
    found = Desk(directory)
    for spec in (spec_of(A), spec_of(B), spec_of(OFF, enabled=False)):
        found.roster.add(spec)
    try:
        await found.run(A)
        await found.run(B)
        yield found
    finally:
        await found.roster.close()


# -- requests


async def test_an_unknown_method_is_the_callers_fault(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert await at.refusal("channels.explode") == (
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
    async with desk(tmp_path) as at:
        refusal = await at.refusal("channels.stop", **params)
        assert "invalid channels.stop params" in refusal
        assert said in refusal


@pytest.mark.parametrize("name", VERBS)
async def test_every_verb_knows_which_accounts_there_are(tmp_path: Path, name: str) -> None:
    async with desk(tmp_path) as at:
        unknown = await at.refusal(name, accounts=["irc:nobody"])
        assert unknown.endswith(f"unknown account 'irc:nobody'; known: {A}, {B}, {OFF}")
        assert (await at.refusal(name, accounts=["telegram"])).endswith(
            "unknown channel 'telegram'; channels with accounts: irc, local"
        )


async def test_without_accounts_that_is_said(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    assert (await at.refusal("channels.stop", accounts=["irc:a"])).endswith("known: none")
    assert (await at.refusal("channels.stop", accounts=["irc"])).endswith("accounts: none")
    assert await at.rows("channels.stop", "*") == {}


async def test_targets_are_accounts_channels_or_all_each_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert list(await at.rows("channels.reset", "local", A)) == [A, B]
        assert list(await at.rows("channels.reset", B, "*")) == [B, A, OFF]


# -- start, stop, restart


async def test_a_stop_is_on_disk_and_done_before_it_is_acknowledged(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        rows = await at.rows("channels.stop", "local", reason="night")
        assert rows[A] == {
            "account": A,
            "ok": True,
            "outcome": "stopped",
            "stopped": True,
            "persisted": True,
        }
        assert list(rows) == [A, B]
        assert at.stage.alive(A) == at.stage.alive(B) == []
        assert Holds(tmp_path / "holds.json").all()[A].reason == "night"
        assert at.why(A) == (
            "stopped by an operator: night",
            f"nothing until `trunkline channels start {A}`",
        )


async def test_a_stop_of_one_that_is_disabled_anyway_is_kept_and_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        row = (await at.rows("channels.stop", OFF, reason="night"))[OFF]
        assert (row["ok"], row["outcome"]) == (True, "stopped")
        assert row["note"] == "it is disabled anyway; it stays stopped when that changes"
        account = at.accounts[OFF]
        assert account.child.state.cause == "disabled"
        assert account.hold is not None
        at.roster.replace({OFF: spec_of(OFF)})
        assert await account.settled(lambda state: state.cause == "held", 10.0)
        assert "note" not in (await at.rows("channels.stop", OFF))[OFF]


async def test_a_stop_need_not_be_waited_for(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.stage.puppets[0].deaf = True
        rows = await at.rows("channels.stop", A, wait=False)
        assert "stopped" not in rows[A]
        assert rows[A]["ok"]
        await phase(at.accounts[A], Phase.STOPPING)
        assert at.why(A)[1] == "it ends, at the latest after its grace"


async def test_a_stop_that_takes_too_long_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "STOP_MARGIN", -1.0)
    async with desk(tmp_path) as at:
        at.stage.puppets[0].deaf = True
        row = (await at.rows("channels.stop", A))[A]
        assert (row["ok"], row["stopped"], row["outcome"]) == (False, False, "stopping")
        assert row["error"] == "still stopping after 4 s"
        assert row["persisted"]


async def test_a_hold_that_cannot_be_written_stops_all_the_same(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    async with desk(missing) as at:
        row = (await at.rows("channels.stop", A))[A]
        assert (row["ok"], row["stopped"], row["persisted"]) == (True, True, False)
        assert "could not be written" in row["error"]
        row = (await at.rows("channels.start", A))[A]
        assert (row["ok"], row["persisted"], row["outcome"]) == (True, False, "handed-off")


async def test_a_start_releases_the_hold_and_does_not_wait(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.rows("channels.stop", A)
        rows = await at.rows("channels.start", A, OFF)
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
        await until(lambda: at.stage.alive(A) == [102])
        assert at.hastened == [A]
        assert at.holds.all() == {}
        assert at.why(A)[1] == "it becomes ready, or is stopped and tried again later"


async def test_a_start_ends_a_backoff(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.stage.puppets[0].die(Exit(code=1, text="no route"))
        await phase(at.accounts[A], Phase.BACKOFF)
        assert at.why(A)[0] == "no route"
        assert "does it now" in at.why(A)[1]
        assert (await at.rows("channels.start", A))[A]["outcome"] == "handed-off"
        await until(lambda: at.stage.alive(A) == [102])
        assert at.accounts[A].child.state.failures == 0


async def test_starting_what_runs_changes_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        row = (await at.rows("channels.start", A))[A]
        assert (row["ok"], row["outcome"], row["reason"]) == (True, "skipped", "task-owned")
        assert at.stage.alive(A) == [101]
        assert at.why(A) == ("it runs", "nothing: it runs")


async def test_a_start_right_after_a_stop_wins(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        stopping = asyncio.create_task(at.rows("channels.stop", A))
        starting = asyncio.create_task(at.rows("channels.start", A))
        await asyncio.gather(starting)
        await until(lambda: at.stage.alive(A) == [102])
        assert at.holds.all() == {}
        await stopping


async def test_a_restart_replaces_the_process(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        rows = await at.rows("channels.restart", A, OFF)
        assert (rows[A]["incarnation"], rows[A]["outcome"]) == (101, "handed-off")
        assert not rows[OFF]["ok"]
        await until(lambda: at.stage.alive(A) == [102])
        assert at.accounts[A].child.state.failures == 0
        assert at.stage.alive(B) == [101]


async def test_a_restart_starts_what_a_person_had_stopped(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.rows("channels.stop", A)
        await at.rows("channels.restart", A)
        await until(lambda: at.stage.alive(A) == [102])
        assert at.holds.all() == {}


async def test_a_reset_forgives_the_failures(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.stage.puppets[0].die(Exit(code=1))
        await phase(at.accounts[A], Phase.BACKOFF)
        assert (await at.rows("channels.reset", A))[A]["outcome"] == "reset"
        assert await at.accounts[A].settled(lambda state: state.failures == 0, 1.0)


# -- looking


async def test_describe_tells_everything_about_one_account(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.logs.lines = [{"text": "hello"}]
        found = await at.ask("channels.describe", account=A)
        assert found["status"]["phase"] == "running"
        assert (found["identity"], found["name"]) == ("a unix socket", None)
        assert found["configRevision"] == "r1"
        assert found["lines"] == [{"text": "hello"}]
        assert at.logs.asked == [([A], 20)]
        assert [event["phase"] for event in found["events"]] == ["starting", "running"]
        assert found["events"] == (await at.ask("channels.events", account=A))["events"]
        assert "unknown account" in await at.refusal("channels.describe", account="irc:x")


async def test_each_way_to_be_down_has_its_words(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert at.why(OFF) == (
            "disabled in the configuration",
            "nothing until its configuration changes",
        )
        at.stage.puppets[0].die(Exit(code=0, said="finished", text="the room is closed"))
        await phase(at.accounts[A], Phase.STOPPED)
        assert at.why(A) == (
            "the room is closed",
            f"nothing until `trunkline channels start {A}`",
        )
        at.stage.puppets[1].die(Exit(code=77, said="needs_login", text="token expired"))
        await phase(at.accounts[B], Phase.FAILED)
        assert at.why(B)[0] == "token expired"
        assert "nothing until a person acts: " in at.why(B)[1]
        at.accounts[A].child.post(Stop("removed"))
        assert await at.accounts[A].settled(lambda state: state.cause == "removed", 1.0)
        assert at.why(A)[0] == "removed"


async def test_a_hold_without_a_reason_is_told_without_one(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.rows("channels.stop", A)
        assert at.why(A)[0] == "stopped by an operator"
        assert set((await at.ask("channels.holds"))["holds"]) == {A}


async def test_logs_are_of_all_or_of_those_named(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.logs.lines = [{"text": "1"}, {"text": "2"}]
        assert (await at.ask("channels.logs", lines=1))["lines"] == [{"text": "2"}]
        await at.ask("channels.logs", accounts=["gateway", "local", "supervisor"])
        assert at.logs.asked == [(None, 1), (["gateway", "supervisor", A, B], 100)]
        assert "/lines" in await at.refusal("channels.logs", lines=-1)


async def test_the_rest_is_passed_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert len((await at.ask("supervisor.status"))["accounts"]) == 3
        assert await at.ask("version") == {"version": "1.2", "pid": 4711}
        assert await at.ask("config.reload") == {"revision": "r2"}
        assert (await at.ask("shutdown"))["ok"]
        assert at.stopped_for == ["asked to by an operator"]


# -- the gateway


async def test_the_gateway_is_started_stopped_and_restarted(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    assert (await at.ask("gateway.start"))["ok"]
    assert (await at.ask("gateway.restart"))["ok"]
    assert (await at.ask("gateway.stop"))["ok"]
    assert at.front.did == ["start", "restart", "stop"]


async def test_a_gateway_that_does_not_obey_is_told_as_such(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    at.front.obedient = False
    assert not (await at.ask("gateway.start"))["ok"]
    assert not (await at.ask("gateway.restart"))["ok"]
    assert not (await at.ask("gateway.stop"))["ok"]


async def test_force_takes_the_port_first(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    await at.ask("gateway.start", force=True)
    assert at.front.did == ["open by force", "start"]


@pytest.mark.parametrize("name", ["gateway.start", "gateway.restart"])
async def test_a_taken_port_is_told(tmp_path: Path, name: str) -> None:
    at = Desk(tmp_path)
    at.front.taken = PortTaken("127.0.0.1", 18789, [])
    assert "UNAVAILABLE: port 18789" in await at.refusal(name)


@pytest.mark.parametrize("name", ["gateway.start", "gateway.restart"])
async def test_no_gateway_is_started_at_the_end(tmp_path: Path, name: str) -> None:
    at = Desk(tmp_path)
    at.stopping = True
    assert await at.refusal(name) == "UNAVAILABLE: the supervisor is stopping"
    assert at.front.did == []


async def test_a_restart_that_is_put_off_says_for_how_long(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    at.front.answer = RestartAnswer(Outcome.DEFERRED, 2.5)
    row = await at.ask("gateway.restart")
    assert (row["outcome"], row["retryAfterMs"]) == ("deferred", 2500)


async def test_a_foreign_gateway_is_waited_for_longer_and_may_be_shut_down(
    tmp_path: Path,
) -> None:
    at = Desk(tmp_path)
    at.front.kind.name = "foreign"
    await at.ask("gateway.start")
    assert at.front.waited == 90.0
    assert (await at.ask("gateway.stop", shutdown=True))["shutdown"] == "asked for"
    at.front.wrong = "not connected"
    assert (await at.ask("gateway.stop", shutdown=True))["shutdown"] == "not connected"
