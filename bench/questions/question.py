"""Defines a question of the suite, and the plan of a run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """``rounds`` of each comparison; ``seconds`` of each window."""

    thorough: bool
    rounds: int
    seconds: float

    @classmethod
    def quick(cls) -> Plan:
        """Return the plan of a run of less than two minutes."""
        return cls(False, 5, 0.3)

    @classmethod
    def full(cls) -> Plan:
        """Return the plan for figures to be published."""
        return cls(True, 5, 1.0)

    def described(self) -> Found:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Question:
    """A question: ``ask`` measures and returns plain data; ``report`` makes a table of it."""

    title: str
    ask: Callable[[Plan], Coroutine[Any, Any, Found]]
    report: Callable[[Found], str]
    quick: bool = True
