"""Short slices of a processor for one thread, asked of the real kernel."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from runtime.gateway.journal.thread_slice import (
    SLICE_NS,
    ThreadPolicy,
    policy_of_thread,
    set_short_slices,
)

T = TypeVar("T")
KERNEL = tuple(int(each) for each in os.uname().release.split("-")[0].split(".")[:2])


def in_a_thread(what: Callable[[], T]) -> T:
    """Return the result of a function that a thread of its own has called."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(what).result()


def taken() -> tuple[ThreadPolicy | None, bool, ThreadPolicy | None]:
    return policy_of_thread(), set_short_slices(), policy_of_thread()


@pytest.mark.skipif(KERNEL < (6, 12), reason="slices of a thread's own came with Linux 6.12")
def test_a_thread_has_short_slices_and_all_else_as_before() -> None:
    here = policy_of_thread()
    before, done, after = in_a_thread(taken)
    assert done
    assert before is not None
    assert after is not None
    assert after.slice_ns == SLICE_NS
    assert (after.policy, after.nice) == (before.policy, before.nice)
    now = policy_of_thread()
    assert here is not None
    assert now is not None
    assert now.slice_ns == here.slice_ns  # of the thread alone


def test_a_policy_that_somebody_chose_stays() -> None:
    def idle() -> tuple[ThreadPolicy | None, bool, ThreadPolicy | None]:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        return taken()

    _, done, after = in_a_thread(idle)
    assert not done
    assert after is not None
    assert after.policy == os.SCHED_IDLE


def test_a_machine_whose_calls_are_not_known_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.uname_result(("Linux", "host", "6.18", "1", "other"))
    monkeypatch.setattr(os, "uname", lambda: other)
    assert policy_of_thread() is None
    assert not set_short_slices()
