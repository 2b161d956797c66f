"""The figures of one worker and the check of its silence; times are given."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.frames.control import Beat
from ipc.frames.status import PLUGIN_FIELDS, PLUGIN_FIGURES
from ipc.heartbeat import Verdict
from runtime.supervisor.accounts.heartbeat import BUSY, Heartbeat, Silence, Totals
from runtime.supervisor.processes import vitals


class FakeProcess:
    """A process of which only the pid matters."""

    pid = 4711

    def terminate(self) -> None:
        raise AssertionError

    def kill(self) -> None:
        raise AssertionError

    async def wait(self) -> Any:
        raise AssertionError


def beat(**fields: Any) -> Beat:
    given: dict[str, Any] = {
        "rss_bytes": 1,
        "cpu": 0.0,
        "fds": 1,
        "lag": 0.0,
        "queued": 0,
        "queued_bytes": 0,
        "messages_in": 0,
        "messages_out": 0,
        "emitted": 0,
        "acked": 0,
        "dropped": {},
    }
    return Beat(**(given | fields))


def met(silence: Silence = Silence(15.0, 30.0)) -> Heartbeat:  # noqa: B008 - it is frozen
    heartbeat = Heartbeat(silence)
    heartbeat.met = True
    return heartbeat


def test_the_share_of_cpu_is_that_between_two_beats() -> None:
    heartbeat = met()
    heartbeat.on_beat(beat(cpu=1.0), 10.0)
    assert heartbeat.cpu_percent is None
    heartbeat.on_beat(beat(cpu=2.0), 14.0)
    assert heartbeat.cpu_percent == 25.0


def test_a_worker_that_has_not_met_us_is_not_checked() -> None:
    assert Heartbeat(Silence(1.0, 2.0)).check(100.0, None) is Verdict.ALIVE


def test_silence_is_suspected_then_final_and_any_frame_relieves() -> None:
    heartbeat = met()
    assert not heartbeat.on_frame(0.0)
    assert heartbeat.check(15.0, None) is Verdict.ASK
    assert heartbeat.on_frame(16.0)
    assert heartbeat.check(31.0, None) is Verdict.ASK
    assert heartbeat.check(45.9, None) is Verdict.SUSPECT
    assert heartbeat.check(46.0, None) is Verdict.GONE


def test_other_bounds_count_at_once_and_the_silence_begins_anew() -> None:
    heartbeat = met()
    heartbeat.on_frame(0.0)
    heartbeat.set_silence(Silence(2.0, 5.0), 14.0)
    assert heartbeat.check(15.9, None) is Verdict.ALIVE
    assert heartbeat.check(16.0, None) is Verdict.ASK


@pytest.mark.parametrize(
    ("state", "cpu", "text"),
    [
        (None, [0.0, 0.0], "process is gone"),
        ("stopped", [0.0, 0.0], "process is stopped (SIGSTOP)"),
        ("sleeping", [1.0, 1.1], "event loop blocked, idle"),
        ("running", [1.0, 9.0], f"event loop blocked, {BUSY}"),
    ],
)
def test_what_a_silent_worker_does_is_told_by_the_kernel(
    state: str | None, cpu: list[float], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vitals, "state", lambda pid: state)
    monkeypatch.setattr(vitals, "cpu_seconds", lambda pid: cpu.pop(0))
    heartbeat, process = met(), FakeProcess()
    heartbeat.on_frame(0.0)
    assert heartbeat.check(15.0, process) is Verdict.ASK
    assert heartbeat.why_silent(30.0, process) == f"silent for 30 s: {text}"


def test_a_plugin_sets_its_own_fields_only() -> None:
    heartbeat = met()
    assert heartbeat.apply_patch({"connected": True, "pid": 1})
    assert not heartbeat.apply_patch({"connected": True})
    assert heartbeat.plugin == {"connected": True}


def test_what_changes_with_every_message_is_a_figure_and_no_change() -> None:
    heartbeat = met()
    assert not heartbeat.apply_patch(dict.fromkeys(PLUGIN_FIGURES, 1))
    assert heartbeat.plugin == dict.fromkeys(PLUGIN_FIGURES, 1)
    for name in PLUGIN_FIELDS - PLUGIN_FIGURES:
        assert heartbeat.apply_patch({name: 1, "lastEventAt": 2}), name


def test_totals_add_up_over_incarnations_and_include_the_running_one() -> None:
    totals = Totals()
    totals.add(beat(messages_in=2, messages_out=1, dropped={"late": 1}))
    totals.add(beat(messages_in=3, dropped={"late": 2, "full": 1}))
    assert (totals.messages_in, totals.messages_out) == (5, 1)
    assert totals.dropped_with(None) == {"late": 3, "full": 1}
    assert totals.dropped_with(beat(dropped={"full": 4})) == {"late": 3, "full": 5}
    assert totals.dropped == {"late": 3, "full": 1}
