"""What a subscription begins after, for each state in which an account can be."""

from __future__ import annotations

import pytest

from runtime.gateway.journal.records import Left
from tests.support.journals import arrived
from tests.support.known_accounts import KnownAccounts
from tests.support.messages import KEY


@pytest.mark.parametrize(
    ("phase", "position"),
    [
        ("starting", (5, 0)),
        ("running", None),
        ("stopping", None),
        ("backoff", (6, 0)),
        ("stopped", (6, 0)),
        ("failed", (6, 0)),
    ],
)
async def test_an_account_that_was_not_heard_stands_where_its_row_says(
    phase: str, position: tuple[int, int] | None
) -> None:
    known = KnownAccounts()
    known.configure(KEY, phase)
    assert known.positions.of(KEY) == position


async def test_an_account_without_a_journal_stands_where_its_ring_ends() -> None:
    known = KnownAccounts()
    known.configure(KEY)
    known.rings.of(KEY).begin(5, 3, anew=True)
    assert known.positions.of(KEY) == (5, 3)
    known.rings.extend(KEY, 5, 4, [b"four", b"five"])
    assert known.positions.of(KEY) == (5, 5)


async def test_an_account_with_a_journal_stands_where_that_ends_also_when_it_is_gone() -> None:
    known = KnownAccounts()
    known.configure(KEY, journal="on")
    assert known.positions.of(KEY) == (0, 0), "nothing was ever stored"
    known.rings.of(KEY).begin(5, 0, anew=False)
    assert known.positions.of(KEY) == (0, 0), "the incarnation that has begun may say nothing"
    await known.store(arrived(1, "a", "b", incarnation=4))
    assert known.positions.of(KEY) == (4, 2)
    known.accounts.remove(KEY)
    known.intake.configure(KEY)
    assert known.positions.of(KEY) == (4, 2)
    assert list(known.positions.keys()) == [KEY]
    assert known.positions.of("irc:never") == (0, 0)


async def test_what_came_while_there_was_no_journal_counts() -> None:
    known = KnownAccounts()
    known.configure(KEY, journal="on")
    await known.store(arrived(1, "a", incarnation=4), Left(KEY))
    known.rings.extend(KEY, 5, 7, [b"seven"])
    assert known.positions.of(KEY) == (5, 7)


async def test_while_the_journal_is_not_open_nothing_is_known() -> None:
    known = KnownAccounts()
    known.journal.ready = False
    known.configure(KEY, journal="on")
    assert known.positions.of(KEY) is None
    assert not known.positions.complete
    known.journal.ready = True
    assert known.positions.complete


async def test_a_cursor_beyond_the_journal_is_noticed_where_the_journal_is_whole() -> None:
    known = KnownAccounts()
    known.configure(KEY, journal="on")
    assert not known.positions.is_beyond(KEY, (4, 3)), "it has nothing to compare with"
    await known.store(arrived(1, "a", "b", incarnation=4))
    assert not known.positions.is_beyond(KEY, (4, 2))
    assert known.positions.is_beyond(KEY, (4, 3))
    await known.store(Left(KEY))
    assert not known.positions.is_beyond(KEY, (4, 3))
