"""The loss trial finds what was lost, doubled, out of order, or unknown without a reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.outbox.entries import DIED
from tests.support.loss_platforms import Platform
from tests.support.loss_trial import Kill, Trial
from tests.support.relay import Relay

KEY = "made:bot1"
CUT = "the server closed the connection"
FIRST, SECOND, THIRD = (f"made-bot1-c{chat}-n{n}" for chat, n in ((1, 0), (1, 1), (2, 2)))


class Remembering(Platform):
    """A platform with accounts only."""

    channel = "made"

    def answers(self, key: str) -> Sequence[str]:
        return []


def row(chat: str = "1", incarnation: int = 5, error: str = DIED, at: int = 10) -> OutgoingRow:
    return OutgoingRow(
        f"key{chat}{at}",
        "id",
        chat,
        state="unknown",
        incarnation=incarnation,
        error=error,
        first_attempt=at,
    )


def trial() -> Trial:
    """Return a trial without faults."""
    found = Trial()
    found.said[KEY] = [FIRST, SECOND, THIRD]
    found.seen[KEY] = [THIRD, FIRST, SECOND]
    found.answered[KEY] = [THIRD, SECOND, FIRST]
    return found


def check(found: Trial, *, in_order: bool = True) -> dict[str, int]:
    platform = Remembering(["bot1"], Relay(1, random.Random(1)))
    platform.in_order = in_order
    return dict(found.check(platform))


def test_what_is_well_passes() -> None:
    assert check(trial()) == {}


def lose(found: Trial) -> None:
    found.seen[KEY].remove(FIRST)


def see_twice(found: Trial) -> None:
    found.seen[KEY].append(FIRST)


def see_late(found: Trial) -> None:
    found.seen[KEY] = [SECOND, FIRST, THIRD]


def see_another(found: Trial) -> None:
    found.seen[KEY].append("a stranger")


def answer_twice(found: Trial) -> None:
    found.answered[KEY].append(FIRST)


def answer_another(found: Trial) -> None:
    found.answered[KEY].append("another")


def leave_unanswered(found: Trial) -> None:
    found.answered[KEY].remove(FIRST)


def have_a_gap(found: Trial) -> None:
    found.gaps.append("told")


def give_up(found: Trial) -> None:
    found.letters = [(KEY, OutgoingRow("key", "id", "1", state="expired"))]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lose, "lost"),
        (see_twice, "seen twice"),
        (see_late, "order"),
        (see_another, "not said"),
        (answer_twice, "answered twice"),
        (answer_another, "answers to nothing"),
        (leave_unanswered, "neither answered nor told"),
        (have_a_gap, "told"),
        (give_up, "surely not sent"),
    ],
)
def test_each_fault_is_found(spoil: Callable[[Trial], None], words: str) -> None:
    found = trial()
    spoil(found)
    with pytest.raises(AssertionError, match=words):
        check(found)


def test_a_platform_that_keeps_no_order_may_change_it() -> None:
    found = trial()
    see_late(found)
    assert check(found, in_order=False) == {}


@pytest.mark.parametrize("excuse", ["told as unknown", "seen as history"])
def test_what_needs_no_answer(excuse: str) -> None:
    found = trial()
    leave_unanswered(found)
    if excuse == "told as unknown":
        found.unknown["id"] = FIRST
    else:
        found.old.add(FIRST)
    assert check(found) == {}


WORKER = Kill("worker", 20, KEY, {KEY: 5})
SUPERVISOR = Kill("supervisor", 20, "", {KEY: 5, "made:bot2": 5})
SERVER = Kill("server", 20, "made")


@pytest.mark.parametrize(
    ("kills", "rows", "found"),
    [
        ([WORKER], [row()], {"worker": 1}),
        ([SUPERVISOR], [row(), row("2")], {"supervisor": 2}),
        ([SERVER], [row(error=CUT), row("2", error=CUT)], {"server": 2}),
        ([WORKER, SERVER], [row(), row(error=CUT)], {"worker": 1, "server": 1}),
        ([WORKER, SERVER], [row(incarnation=6)], {"server": 1}),  # it has ended by the cut
        ([WORKER], [row(), row(at=11)], None),  # two of one chat
        ([SERVER], [row(error=CUT), row(error=CUT, at=11)], None),
        ([SERVER, SERVER], [row(error=CUT), row(error=CUT, at=11)], None),
        ([Kill("server", 20, "made"), Kill("server", 30, "made")],
         [row(error=CUT), row(error=CUT, at=11)], {"server": 2}),
        ([WORKER], [row(incarnation=6)], None),  # another worker of the account
        ([WORKER], [row(error=CUT)], None),
        ([SERVER], [row(error=CUT, at=21)], None),  # made after the cut
        ([Kill("server", 20, "other")], [row(error=CUT)], None),
        ([Kill("gateway", 20), Kill("zygote", 20)], [row()], None),
        ([Kill("gateway", 20), Kill("zygote", 20)], [row(error=CUT)], None),
    ],
)  # fmt: skip
def test_each_unknown_send_needs_a_kill_that_explains_it(
    kills: list[Kill], rows: list[OutgoingRow], found: dict[str, int] | None
) -> None:
    made = trial()
    made.kills, made.letters = kills, [(KEY, each) for each in rows]
    if found is not None:
        assert check(made) == found
        return
    with pytest.raises(AssertionError, match="no kill explains"):
        check(made)
