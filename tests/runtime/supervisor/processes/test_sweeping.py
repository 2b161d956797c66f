"""What is swept, and that nothing is while a child is being forked whose pid is not known."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from runtime.supervisor.processes.sweeping import Sweep
from tests.support.spawned import exists
from tests.support.until import until

MARK = "TRUNKLINE_RUN_ID=run-of-the-sweep"


def at_once(function: Callable[[], None]) -> None:
    function()


@contextmanager
def children(count: int) -> Iterator[list[int]]:
    """Processes that this one has started, and nothing has told the sweep."""
    started = [subprocess.Popen(["sleep", "600"]) for _ in range(count)]
    try:
        yield [each.pid for each in started]
    finally:
        for each in started:
            each.kill()
            each.wait()


@pytest.fixture
def sweep() -> Sweep:
    before = [int(pid) for pid in _children()]
    swept = Sweep(MARK, at_once, strangers=False)
    swept.ours.update(before)  # what helps the test runner
    return swept


def _children() -> list[str]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


def test_what_was_not_started_by_us_is_ended_and_counted(sweep: Sweep) -> None:
    with children(3) as (known, first, second):
        sweep.ours.add(known)
        sweep.now()
        assert sweep.swept == 2
        assert [exists(pid) for pid in (known, first, second)] == [True, False, False]


async def test_a_child_whose_pid_is_not_known_yet_is_spared(sweep: Sweep) -> None:
    with children(1) as (young,):
        with sweep.postponed():
            sweep.now()
            sweep.on_reaped(0)
            assert exists(young)
            sweep.ours.add(young)
        sweep.now()
        assert (sweep.swept, exists(young)) == (0, True)
        sweep.ours.discard(young)
        await until(lambda: sweep.swept == 1)  # the one that was put off
        assert not exists(young)


def test_where_strangers_come_only_what_is_marked_is_ended() -> None:
    name, _, value = MARK.partition("=")
    sweep = Sweep(MARK, at_once, strangers=True)
    marked = subprocess.Popen(["sleep", "600"], env={**os.environ, name: value})
    with children(1) as (stranger,):
        sweep.now()
        assert (exists(marked.pid), exists(stranger)) == (False, True)
        assert sweep.swept == 1
    marked.wait()
