"""Defines the faults that a fake platform can show, one word each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal[
    "rate_limited",
    "unauthorized",
    "conflict",
    "outage",
    "half_open",
    "slow",
    "duplicate",
    "unanswered",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong from now on, until the fake is healed or it has happened ``times`` times.

    ======================  ========================================================================
    ``rate_limited``        the platform asks to come again after ``seconds`` (429 with retry_after)
    ``unauthorized``        it does not know the credentials any more (401)
    ``conflict``            something else uses the same login (409)
    ``outage``              it cannot be reached, and what was connected is cut
    ``half_open``           connections stay open, and nothing moves on them
    ``slow``                each answer takes ``seconds``
    ``duplicate``           what somebody says is delivered twice, under one id
    ``unanswered``          what is sent is taken, but the connection is cut before the answer
    ======================  ========================================================================

    ``times``: 0 is for ever. Raises ``ValueError`` for an unknown kind and negative numbers.
    """

    kind: FaultKind
    times: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"{self.kind!r} is none of {', '.join(get_args(FaultKind))}")
        if self.times < 0 or self.seconds < 0:
            raise ValueError("times and seconds of a fault are 0 or more")
