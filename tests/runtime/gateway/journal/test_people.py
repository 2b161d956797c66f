"""What every journal keeps of people who ask to be admitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.gateway.journal.people import PENDING_MS, PeopleChanged, Person
from runtime.gateway.journal.records import Answered
from tests.support.journals import KEY, KINDS, journal_of, outgoing, store

ADA = Person("ada", id="1", code="ABCD2345", chat="c", name="Ada", verified=True, created=5, seen=5)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_last_that_is_known_of_each_is_kept(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, Answered(KEY, (1, 1), [outgoing("k")], [ADA]))
        assert await journal.people(KEY) == [ADA]
        assert [each.row.key for each in await journal.outgoing(KEY)] == ["k"]
        blocked = Person("bob", "blocked", created=6)
        allowed = Person("ada", "allowed", verified=True, created=7)
        await store(journal, PeopleChanged(KEY, [blocked, allowed]))
        assert sorted(await journal.people(KEY), key=lambda each: each.sender) == [allowed, blocked]
        await store(journal, PeopleChanged(KEY, [Person("bob", "forgotten")]))
        await store(journal, PeopleChanged("irc:oftc", [ADA]))
        assert await journal.people(KEY) == [allowed]
        assert await journal.people("irc:nobody") == []


@pytest.mark.parametrize(
    ("state", "later", "waits"),
    [
        ("pending", 0, True),
        ("pending", PENDING_MS - 1, True),
        ("pending", PENDING_MS, False),
        ("pending", -5000, True),
        ("pending", -PENDING_MS, False),
        ("allowed", 0, False),
        ("blocked", 0, False),
    ],
)
def test_a_request_is_open_for_an_hour(state: str, later: int, waits: bool) -> None:
    person = Person("ada", state, created=10**12)  # type: ignore[arg-type]
    assert person.waits(10**12 + later) is waits
    assert person.is_late(10**12 + later) is (state == "pending" and not waits)
