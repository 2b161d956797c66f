from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import structlog

from ipc.frames.status import AccountStatus, Hold
from ipc.frames.words import Phase
from ipc.heartbeat import Verdict
from runtime.config.supervisor_model import RestartConfig
from runtime.supervisor import changes
from runtime.supervisor.accounts import account as module
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.heartbeat import Silence
from runtime.supervisor.accounts.history import EVENTS, PER_KIND, HistoryEntry
from runtime.supervisor.lifecycle import Deadline, Exit, Reset, Start, Stop, Waiting
from runtime.supervisor.policy import policy_of
from runtime.supervisor.processes import vitals
from tests.support.accounts import Stage, account_of, agent_of, living, phase, spec_of, start
from tests.support.players import beat
from tests.support.until import until

pytestmark = pytest.mark.virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def texts(account: Account) -> list[tuple[str, str | None]]:
    return [(row["phase"], row["cause"]) for row in account.history]


class Clock:
    """The wall clock, which says what a test wants."""

    def __init__(self) -> None:
        self.seconds = 1_790_000_000.0

    def time(self) -> float:
        return self.seconds

    @property
    def ms(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for place in (module, changes):
        monkeypatch.setattr(place, "time", found)
    return found


def test_the_policy_is_what_the_configuration_says() -> None:
    restart = RestartConfig(
        initial_seconds=1,
        factor=3,
        maximum_seconds=9,
        jitter=0.5,
        healthy_after_seconds=7,
        slow_after=4,
        slow_seconds=11,
        ready_within_seconds=13,
        stop_within_seconds=2,
    )
    policy = policy_of(spec_of(restart=restart))
    assert (policy.initial, policy.factor, policy.maximum, policy.jitter) == (1, 3, 9, 0.5)
    assert (policy.healthy_after, policy.slow_after, policy.slow) == (7, 4, 11)
    assert (policy.ready_within, policy.stop_within) == (13, 2)


async def test_the_history_tells_each_phase_once() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        await asyncio.sleep(301)  # forgiven: a change of state, not of phase
        account.child.post(Stop("held"))
        await phase(account, Phase.STOPPED)
    assert texts(account) == [
        ("starting", None),
        ("running", None),
        ("stopping", "held"),
        ("stopped", "held"),
    ]
    assert {row["incarnation"] for row in account.history} == {101}


async def test_a_new_cause_in_the_same_phase_is_news() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        account.child.post(Stop("disabled"))
        account.child.post(Stop("held"))
        assert await account.wait_until(lambda state: state.cause == "held", 1.0)
    assert texts(account) == [("stopped", "disabled"), ("stopped", "held")]


async def test_the_history_is_bounded() -> None:
    stage = Stage()
    stage.error = OSError("no")
    async with living(account_of(stage)) as account:
        account.child.post(Start())
        await asyncio.sleep(100_000)
    times = [row.get("times", 1) for row in account.history if row["phase"] == "backoff"]
    assert (len(times), len(account.history) < EVENTS < sum(times)) == (PER_KIND, True)


async def test_a_crash_is_told_with_its_text_its_exit_and_the_next_try(clock: Clock) -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        clock.seconds += 60
        stage.last.die(Exit(code=1, said="transient", text="server is down"))
        await phase(account, Phase.BACKOFF)
        row = account.status()
    assert (row.phase, row.cause, row.failures) == ("backoff", "transient", 1)
    assert (row.last_error, row.last_exit) == ("server is down", "exited (code 1)")
    assert row.next_try_at == clock.ms + 5000
    assert row.stopped_at == clock.ms
    assert row.started_at == clock.ms - 60_000
    assert (row.ready_at, row.pid, row.health) == (None, None, None)


async def test_a_refusal_is_told_with_its_slow_tries_and_outlives_the_supervisor(
    clock: Clock,
) -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        for _ in range(3):
            await until(lambda: account.child.process is not None)
            stage.last.die(Exit(code=77, said="needs_login", text="services are away"))
            await account.wait_until(
                lambda state: state.phase in (Phase.BACKOFF, Phase.FAILED), 9.0
            )
            row = account.status()
            if row.phase == "backoff":
                account.child.post(Deadline(account.child.state.incarnation, Phase.BACKOFF))
                await phase(account, Phase.STARTING)
        assert (row.phase, row.cause, row.retry, row.failures) == (
            "failed",
            "needs_login",
            "slow",
            3,
        )
        assert row.todo is not None
        assert row.next_try_at is not None
        assert row.next_try_at > clock.ms + 3_500_000
        events = list(account.history)
    again = account_of(Stage(), past=msgspec.convert(events, list[HistoryEntry]))
    assert again.child.state.proven
    assert len(again.child.state.refusals.logins) == 3


async def test_what_the_platform_asked_for_is_kept_over_a_restart(clock: Clock) -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        stage.last.die(Exit(code=75, said="transient", text="slow down", retry_after=3600.0))
        await phase(account, Phase.BACKOFF)
        account.child.post(Stop("shutdown"))
        await phase(account, Phase.STOPPED)
        events = msgspec.convert(list(account.history), list[HistoryEntry])
    clock.seconds += 600
    later = Stage()
    async with living(account_of(later, past=events)) as again:
        again.child.post(Start(automatic=True))  # as every supervisor begins
        await asyncio.sleep(2990)
        row = again.status()
        assert (row.phase, row.retry, row.cause) == ("backoff", "asked", "transient")
        assert not later.puppets
        await asyncio.sleep(20)
        assert again.phase is Phase.STARTING
    by_hand = Stage()
    async with living(account_of(by_hand, past=events)) as again:
        again.child.post(Start())
        await phase(again, Phase.STARTING)


async def test_what_was_never_spawned_has_no_exit_code() -> None:
    stage = Stage()
    stage.error = OSError("no processes left")
    async with living(account_of(stage)) as account:
        account.child.post(Start())
        await phase(account, Phase.BACKOFF)
        row = account.status()
    assert row.last_error == "cannot start: no processes left"
    assert row.last_exit == "was not spawned"


async def test_an_orderly_stop_is_no_error() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        account.child.post(Stop("held"))
        await phase(account, Phase.STOPPED)
        row = account.status()
    assert (row.last_error, row.last_exit, row.next_try_at) == (None, None, None)


async def test_times_do_not_move_while_a_phase_lasts(clock: Clock) -> None:
    stage = Stage()
    stage.error = OSError("no")
    async with living(account_of(stage)) as account:
        account.child.post(Start())
        await phase(account, Phase.BACKOFF)
        stage.error = None
        await asyncio.sleep(5)
        began = account.status().started_at
        clock.seconds += 1
        account.child.post(Reset())  # failures change, nothing else does
        assert await account.wait_until(lambda state: state.failures == 0, 1.0)
        assert account.status().started_at == began == clock.ms - 1000


async def test_the_end_is_noted_though_the_wall_clock_runs_backwards(clock: Clock) -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        for _ in range(2):
            await start(account)
            clock.seconds -= 3600
            account.child.post(Stop("held"))
            await phase(account, Phase.STOPPED)
            assert account.status().stopped_at == clock.ms


async def test_an_account_that_never_ran_has_no_times() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        account.child.post(Stop("disabled"))
        assert await account.wait_until(lambda state: state.cause == "disabled", 1.0)
        row = account.status()
    assert (row.started_at, row.ready_at, row.stopped_at) == (None, None, None)


async def test_figures_are_added_up_over_incarnations() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        account.on_beat(beat(messages_in=3, messages_out=2, dropped={"late": 1}), now())
        stage.last.die(Exit(signal=9))
        await phase(account, Phase.BACKOFF)
        await start(account)
        account.on_beat(beat(messages_in=4, messages_out=1, dropped={"late": 2, "big": 5}), now())
        row = account.status()
        assert (row.messages_in, row.messages_out) == (7, 3)
        assert row.dropped == {"late": 3, "big": 5}
        stage.last.die(Exit(signal=9))
        await phase(account, Phase.BACKOFF)
        row = account.status()
        assert (row.messages_in, row.messages_out, row.dropped["late"]) == (7, 3, 3)


async def test_a_killed_account_may_have_lost_what_was_not_acknowledged() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        account.on_beat(beat(emitted=10, acked=7), now())
        stage.last.die(Exit(signal=9))
        await phase(account, Phase.BACKOFF)
        assert account.status().possibly_lost == 3


async def test_what_one_has_lost_that_never_beat_is_unknown() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        assert account.status().possibly_lost == 0
        await start(account)
        stage.last.die(Exit(signal=9))
        await phase(account, Phase.BACKOFF)
        assert account.status().possibly_lost is None
        account.on_beat(beat(emitted=5, acked=5), now())
        account.child.post(Reset())  # nothing has ended: nothing is learnt
        await asyncio.sleep(0)
        assert account.status().possibly_lost is None


@pytest.mark.parametrize(("acked", "lost"), [(10, 0), (7, 3)])
async def test_a_stopped_account_has_lost_what_it_could_not_hand_over(
    acked: int, lost: int
) -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        stage.last.die(Exit(signal=9))  # what an earlier one has lost is another's
        await phase(account, Phase.BACKOFF)
        assert account.status().possibly_lost is None
        await start(account)
        account.on_beat(beat(emitted=10, acked=acked), now())
        account.child.post(Stop("held"))
        await phase(account, Phase.STOPPED)
        assert account.status().possibly_lost == lost
        said = "3 of its messages stay unconfirmed"
        assert (said in (account.history[-1]["text"] or "")) is bool(lost)


async def test_an_account_is_shown_as_draining_until_it_is_no_more() -> None:
    async with living(account_of(Stage())) as account:
        await start(account)
        account.set_draining(True)
        assert account.status().draining
        account.set_draining(False)
        assert not account.status().draining


async def test_cpu_is_a_share_of_the_time_between_two_beats() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        account.on_beat(beat(cpu=1.0), 10.0)
        assert account.status().cpu_percent is None
        account.on_beat(beat(cpu=1.5, lag=0.0123, queued=4), 15.0)
        account.on_beat(beat(cpu=9.9, lag=0.0123, queued=4), 15.0)  # no time has passed
        row = account.status()
        assert (row.cpu_percent, row.loop_lag_ms, row.queued) == (10.0, 12.3, 4)
        assert (row.rss_bytes, row.fds) == (7_000_000, 12)
        stage.last.die(Exit(code=1))
        await phase(account, Phase.BACKOFF)
        row = account.status()
        assert (row.cpu_percent, row.loop_lag_ms, row.rss_bytes, row.fds) == (None,) * 4


async def test_a_plugin_may_set_only_its_own_fields() -> None:
    account = account_of(Stage(), spec_of(status={"linked": False}))
    assert account.apply_patch({"connected": True, "pid": 1, "phase": "running"})
    assert not account.apply_patch({"connected": True})
    row = account.status()
    assert row.plugin == {"linked": False, "connected": True}
    assert (row.pid, row.phase) == (None, "stopped")


@pytest.mark.parametrize(("said", "shown"), [("oh", "oh"), (None, None), (5, "5"), ({}, "{}")])
async def test_what_a_plugin_calls_its_error_is_shown_as_text(said: Any, shown: str | None) -> None:
    account = account_of(Stage())
    account.apply_patch({"lastError": "before"})
    account.apply_patch({"lastError": said})
    assert account.status().last_error == shown


async def test_a_crashed_account_is_not_connected() -> None:
    stage = Stage()
    async with living(account_of(stage, spec_of(status={}))) as account:
        await start(account)
        account.apply_patch({"connected": True})
        assert account.status().health == "ok"
        account.apply_patch({"connected": False})
        assert account.status().health == "degraded: not connected"
        account.apply_patch({"connected": True})
        stage.last.die(Exit(code=1))
        await phase(account, Phase.BACKOFF)
        assert account.status().plugin["connected"] is False
        await start(account)
        assert "connected" not in account.status().plugin  # the new one has said nothing yet


async def test_files_that_cannot_be_stored_are_shown_until_they_can() -> None:
    stage = Stage()
    async with living(account_of(stage, spec_of(status={}))) as account:
        await start(account)
        account.on_beat(beat(media_bytes=8192, media_refusal="no room"), now())
        row = account.status()
        assert (row.media_bytes, row.health) == (8192, "degraded: no room")
        account.on_beat(beat(media_bytes=4096), now())
        assert (account.status().media_bytes, account.status().health) == (4096, "ok")


async def test_dropped_log_lines_are_those_of_the_present_output() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        assert account.status().log_dropped == 0
        stage.log_dropped = 17
        await start(account)
        assert account.status().log_dropped == 17


async def test_the_hold_and_the_wish_are_shown() -> None:
    account = account_of(Stage(), hold=Hold(5, "maintenance"))
    row = account.status()
    assert row.hold == Hold(5, "maintenance")
    assert isinstance(row, AccountStatus)
    assert (row.wanted, row.enabled, row.agent, row.channel) == (False, True, "echo", "local")


# -- silence


async def test_only_a_running_worker_that_has_said_hello_is_judged() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        assert account.check(1000.0) is Verdict.ALIVE
        account.child.post(Start())
        await phase(account, Phase.STARTING)
        account.heartbeat.met = True
        assert account.check(1000.0) is Verdict.ALIVE
        account.heartbeat.met = False
        await start(account)
        assert account.check(1000.0) is Verdict.ALIVE


async def test_one_that_waits_before_it_is_ready_is_judged_too() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        account.child.post(Start())
        await phase(account, Phase.STARTING)
        await until(lambda: account.child.process is not None)
        account.child.post(Waiting(account.child.state.incarnation, "it waits for the gateway"))
        await account.wait_until(lambda state: state.cause == "waiting", 5)
        account.heartbeat.met = True
        began = now()
        account.on_frame(began)
        assert account.check(began + 15.0) is Verdict.ASK
        assert account.check(began + 30.0) is Verdict.GONE
        await phase(account, Phase.BACKOFF)
        assert account.child.state.cause == "unhealthy"


async def test_a_silent_worker_is_asked_then_ended() -> None:
    stage, errors = Stage(), dict[str, str | None]()

    def told(account: Account) -> None:
        errors[account.phase] = account.status().last_error

    async with living(account_of(stage, on_change=told)) as account:
        await start(account)
        account.heartbeat.met = True
        assert not account.on_frame(now())
        began = now()
        assert account.check(began + 14.9) is Verdict.ALIVE
        assert account.check(began + 15.0) is Verdict.ASK
        assert account.status().health == "degraded: silent"
        assert account.check(began + 29.9) is Verdict.SUSPECT
        assert account.check(began + 30.0) is Verdict.GONE
        await phase(account, Phase.BACKOFF)
        assert account.child.state.cause == "unhealthy"
        assert stage.last.signals == ["terminate"]
        assert account.status().last_error == "silent for 30 s: process is gone"
        assert errors[Phase.STOPPING] == errors[Phase.BACKOFF]  # known before it has ended


async def test_other_thresholds_count_at_once_and_for_the_next_worker_too() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        account.heartbeat.met = True
        account.heartbeat.pulse.on_frame(now())
        await asyncio.sleep(14.0)
        account.set_silence(Silence(2.0, 5.0))
        began = now()  # the silence begins anew
        assert account.check(began + 1.9) is Verdict.ALIVE
        assert account.check(began + 2.0) is Verdict.ASK
        account.set_silence(Silence(2.0, 9.0))
        assert account.check(began + 8.9) is Verdict.SUSPECT
        account.set_silence(Silence(2.0, 5.0))
        assert account.check(began + 5.0) is Verdict.GONE
        stage.last.die(Exit(signal=9))
        await phase(account, Phase.BACKOFF)
        await start(account)
        assert (account.heartbeat.pulse.silence, account.heartbeat.pulse.grace) == (2.0, 3.0)


async def test_an_answer_relieves_a_suspect() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        account.heartbeat.met = True
        account.on_frame(0.0)
        account.check(20.0)
        assert account.on_frame(21.0)
        assert account.check(31.0) is Verdict.ALIVE


@contextmanager
def stranger(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command)
    yield process
    process.kill()
    process.wait()


async def why_silent(pid: int) -> str | None:
    stage = Stage()
    stage.pid = pid
    async with living(account_of(stage)) as account:
        await start(account)
        account.heartbeat.met = True
        account.on_frame(0.0)
        account.check(15.0)
        account.check(30.0)
        await phase(account, Phase.BACKOFF)
        return account.child.state.reason


async def test_a_stopped_process_is_told_from_a_blocked_one() -> None:
    with stranger("sleep", "60") as process:
        assert await why_silent(process.pid) == "silent for 30 s: event loop blocked, idle"
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED)
        assert await why_silent(process.pid) == "silent for 30 s: process is stopped (SIGSTOP)"


async def test_a_busy_loop_is_told_from_an_idle_one(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([1.0, 1.6])
    monkeypatch.setattr(vitals, "cpu_seconds", lambda pid: next(used))
    reason = await why_silent(os.getpid())
    blocked = "silent for 30 s: event loop blocked, using CPU"
    assert reason == f"{blocked} (a busy loop, or code that holds the GIL)"


async def test_a_worker_that_ended_meanwhile_is_judged_without_a_process() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        await start(account)
        account.heartbeat.met = True
        account.on_frame(0.0)
        account.child.process = None  # it is gone, and the news is still in the mailbox
        assert account.check(15.0) is Verdict.ASK
        assert account.check(30.0) is Verdict.GONE


# -- waiting for a state


async def test_settled_looks_after_what_was_posted_before() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        account.child.post(Start())
        account.child.post(Stop("held"))
        began = now()
        assert await account.wait_until(lambda state: state.phase is Phase.STOPPED, 10.0)
        assert [puppet.signals for puppet in stage.puppets] == [["terminate"]]
        assert now() == began


async def test_settled_gives_up_in_time() -> None:
    stage = Stage()
    stage.deaf = True
    async with living(account_of(stage)) as account:
        await start(account)
        account.child.post(Stop("held"))
        assert not await account.wait_until(lambda state: state.phase is Phase.STOPPED, 1.0)
        assert await account.wait_until(lambda state: state.phase is Phase.STOPPED, None)
        assert stage.last.signals == ["terminate", "kill"]


async def test_many_may_wait_and_one_of_them_may_be_cancelled() -> None:
    stage = Stage()
    async with living(account_of(stage)) as account:
        waits = [asyncio.create_task(phase(account, Phase.RUNNING)) for _ in range(3)]
        await asyncio.sleep(1)
        waits[0].cancel()
        await start(account)
        await asyncio.gather(*waits[1:])
        assert waits[0].cancelled()


# -- faults of those who are told


async def test_an_exception_of_the_change_callback_is_logged_and_has_no_effect() -> None:
    def broken(account: Account) -> None:
        raise RuntimeError("no room")

    stage = Stage()
    with structlog.testing.capture_logs() as logs:
        async with living(account_of(stage, on_change=broken)) as account:
            await start(account)
    assert {line["event"] for line in logs} == {"callback of a change failed"}
    assert {line["child"] for line in logs} == {"local:demo"}


async def test_a_fault_in_the_row_is_logged_and_costs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Account, "_stamp", None)
    stage = Stage()
    told: list[str] = []
    with structlog.testing.capture_logs() as logs:
        async with living(
            account_of(stage, on_change=lambda account: told.append(account.phase))
        ) as account:
            await start(account)
    assert {line["event"] for line in logs} == {"change of an account not recorded"}
    assert told == ["starting", "running"]


async def test_an_agent_whose_turns_fail_is_degraded_until_one_is_answered() -> None:
    async with living(account_of(Stage(), agent_of())) as agent:
        await start(agent)
        for said, health in (("no such file", "degraded: its turns fail"), (None, "ok")):
            agent.apply_patch({"lastError": said})
            assert agent.status().health == health
