"""Which connection gives its slot up where all are taken."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ipc.websocket.young_shares import GRACE_SECONDS, YoungStage, find_evictable

SILENT, SPOKE, GREETED = YoungStage
NEW, OLD, OLDER = GRACE_SECONDS / 2, GRACE_SECONDS * 2, GRACE_SECONDS * 3


@dataclass(frozen=True)
class Holder:
    stage: YoungStage
    age: float


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        ([], None),
        ([(SILENT, NEW)], None),
        ([(SILENT, NEW), (SPOKE, OLD)], 1),  # what is new is let alone, whatever it is
        ([(SILENT, OLD), (SILENT, OLDER), (SILENT, OLD)], 1),
        ([(SPOKE, OLDER), (SILENT, OLD)], 1),
        ([(GREETED, OLDER), (SPOKE, OLD)], 1),
        ([(GREETED, OLD), (GREETED, OLDER)], None),
        ([(SILENT, GRACE_SECONDS)], 0),
        ([(SILENT, OLD), (SILENT, OLD)], 0),
    ],
)
def test_the_oldest_of_those_that_have_come_least_far_gives_way(
    holders: list[tuple[YoungStage, float]], expected: int | None
) -> None:
    made = [Holder(*each) for each in holders]
    assert find_evictable(made) is (None if expected is None else made[expected])
