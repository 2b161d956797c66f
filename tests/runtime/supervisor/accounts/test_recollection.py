from __future__ import annotations

from typing import Any

import pytest

from ipc.frames.words import Phase
from runtime.supervisor.accounts.recollection import recollect, remaining_wait
from runtime.supervisor.lifecycle import ASKED, State
from runtime.supervisor.refusals import Refusals

NOW = 1_000_000.0  # seconds since 1970


def event(phase: str, ago: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"at": int((NOW - ago) * 1000), "phase": phase, "failures": 0, **more}


def refused(ago: float) -> dict[str, Any]:
    return event("failed", ago, exitCause="needs_login", failures=1)


@pytest.mark.parametrize(
    ("history", "proven", "failures", "logins"),
    [
        pytest.param([], False, 0, (), id="a new account"),
        pytest.param([event("starting"), event("failed", failures=2)], False, 2, (), id="never"),
        pytest.param([event("running"), event("backoff")], True, 0, (), id="it ran"),
        pytest.param([event("backoff", proven=True)], True, 0, (), id="longer ago than 50 events"),
        pytest.param([refused(3601), refused(3599)], False, 1, (-3499.0,), id="only the last hour"),
        pytest.param([refused(n) for n in (9, 8, 7, 6)], False, 1, (92, 93, 94), id="only three"),
        pytest.param([refused(-50)], False, 1, (), id="the clock was set back"),
    ],
)
def test_a_new_supervisor_knows_what_the_old_one_knew(
    history: list[dict[str, Any]], proven: bool, failures: int, logins: tuple[float, ...]
) -> None:
    found = recollect(history, 7, NOW, 100.0)
    assert found.refusals.logins == pytest.approx(logins)
    assert found == State(
        incarnation=7,
        failures=failures,
        proven=proven,
        refusals=Refusals(logins=found.refusals.logins),
    )


def asked(ago: float, seconds: float) -> dict[str, Any]:
    """Return the event by which the platform asked ``ago`` seconds ago for so many of them."""
    return event("backoff", ago, cause="transient", text="slow down") | {
        "askedUntil": int((NOW - ago + seconds) * 1000)
    }


@pytest.mark.parametrize(
    ("history", "wait"),
    [
        pytest.param([], None, id="nothing happened"),
        pytest.param([asked(10, 60)], 50.0, id="it waits"),
        pytest.param([asked(10, 60), event("stopped", 5)], 50.0, id="the daemon has ended"),
        pytest.param([asked(70, 60)], None, id="it is over"),
        pytest.param([asked(10, 60), event("starting", 5)], None, id="it was started since"),
        pytest.param([asked(-100, 60)], 60.0, id="the clock was set back"),
        pytest.param([event("backoff", 10, failures=1)], None, id="another backoff"),
    ],
)
def test_the_wait_that_the_platform_asked_for_goes_on(
    history: list[dict[str, Any]], wait: float | None
) -> None:
    assert remaining_wait(history, NOW) == (None if wait is None else pytest.approx(wait))
    found = recollect(history, 7, NOW, 100.0)
    state = (found.phase, found.wanted, found.retry, found.cause, found.reason)
    if wait is None:
        assert state == (Phase.STOPPED, False, None, None, None)
    else:
        assert state == (Phase.BACKOFF, True, ASKED, "transient", "slow down")
