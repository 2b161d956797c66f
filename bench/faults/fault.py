"""What a fault is, and the catalogue of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.faults.ward import BAD, Ward
from bench.measuring.rows import Row, up


class Sight:
    """When a fault was noticed, counted from its injection, and what else is worth a word."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seen: float | None = None
        self.remark = ""

    def saw(self, at: float | None = None) -> None:
        """Note that the fault was noticed, now or at that time (CLOCK_MONOTONIC)."""
        self.seen = (at or time.monotonic()) - self.began

    @property
    def passed(self) -> float:
        """The seconds since the injection."""
        return time.monotonic() - self.began


Injection = Callable[[Ward, Sight], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """``inject`` returns when everything is as before; it raises when that does not come.

    ``shared``: it hits what all accounts share, so their messages wait while it lasts.
    ``last``: it ends every process, so nothing can be compared with what was before.
    ``keeps`` is how many files stay open for a reason that its remark gives.
    """

    name: str
    injected: str
    inject: Injection
    shared: bool = False
    last: bool = False
    keeps: int = 0


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, injected: str, *, shared: bool = False, last: bool = False, keeps: int = 0
) -> Callable[[Injection], Injection]:
    """Enter a coroutine into the catalogue."""

    def enter(inject: Injection) -> Injection:
        FAULTS[name] = Fault(name, injected, inject, shared, last, keeps)
        return inject

    return enter


def unwell(row: Row) -> bool:
    """Say whether the supervisor has noticed that something is wrong."""
    return (row["phase"], row["health"]) != ("running", "ok")


async def comes_back(ward: Ward, sight: Sight, before: int) -> None:
    """Wait until it is noticed that the patient is unwell, and until its successor runs."""
    sight.saw(await ward.rows.until(BAD, lambda row: unwell(row) or row["incarnation"] > before))
    await ward.rows.until(BAD, up(after=before))


async def replaced(ward: Ward, sight: Sight) -> None:
    """Make the patient well again as an operator would."""
    before = ward.incarnation()
    await ward.call("restart")
    await ward.rows.until(BAD, up(after=before))


def unmoved(ward: Ward, before: int) -> None:
    """Check that the patient was left alone."""
    if ward.incarnation() != before:
        raise RuntimeError("the account was restarted, and should have been left alone")
