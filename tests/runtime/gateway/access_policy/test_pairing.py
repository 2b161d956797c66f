"""Strangers who ask to be admitted, and what their owner decides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.access_policy.pairing import (
    CODE_LETTERS,
    MAX_PENDING,
    approved,
    blocked,
    forgotten,
    invitation,
    new_request,
    with_code,
    with_id,
)
from runtime.gateway.journal.people import PENDING_MS, Person
from workers.messages import Chat, Inbound, Sender

NOW = 1_000_000
CODE = "ABCD2345"


def says(sender: str, *, verified: bool = True) -> Inbound:
    who = Sender(sender, f"{sender}'s name", verified=verified)
    return Inbound("1", Chat(f"chat-{sender}", "direct"), who, "hello", 1)


def waiting(sender: str, since: int = NOW, code: str = "", *, verified: bool = True) -> Person:
    person = Person(sender, id=f"id-{sender}", code=code, created=since, seen=since)
    return msgspec.structs.replace(person, verified=verified)


def nick(sender: str) -> Person:
    """Return a request of a name that anybody may use."""
    return waiting(sender, verified=False)


def people(*several: Person) -> dict[str, Person]:
    return {each.sender: each for each in several}


def test_a_stranger_gets_one_code() -> None:
    found = new_request(None, [], says("ada"), NOW, "id", CODE)
    assert found == Person(
        "ada",
        "pending",
        "id",
        CODE,
        "chat-ada",
        "ada's name",
        verified=True,
        created=NOW,
        seen=NOW,
    )
    assert new_request(found, [found], says("ada"), NOW + 1, "id2", "EFGH2345") == "waits"


FULL = [waiting(f"p{number}") for number in range(MAX_PENDING)]


@pytest.mark.parametrize(
    ("known", "later", "result"),
    [
        (FULL, 0, "full"),
        (FULL, PENDING_MS - 1, "full"),
        (FULL, PENDING_MS, "code"),
        (FULL[1:], 0, "code"),
        ([*FULL[1:], approved(FULL[0], NOW)], 0, "code"),
        ([*FULL[1:], blocked("p0", None, NOW)], 0, "code"),
        ([waiting("ada")], PENDING_MS - 1, "waits"),
        ([waiting("ada")], PENDING_MS, "code"),
        ([*FULL[1:], waiting("ada")], 0, "waits"),
    ],
)
def test_a_few_wait_at_once_and_for_an_hour(known: list[Person], later: int, result: str) -> None:
    found = new_request(people(*known).get("ada"), known, says("ada"), NOW + later, "id", CODE)
    assert (found if isinstance(found, str) else "code") == result


@pytest.mark.parametrize(
    ("known", "verified", "result"),
    [
        ([nick("p0")], False, "code"),
        ([nick("p0"), nick("p1")], False, "full"),
        ([nick("p0"), nick("p1")], True, "code"),
        ([nick("p0"), nick("p1"), waiting("p2")], True, "full"),
        ([nick("p0"), waiting("p1")], False, "code"),
        ([waiting("p0"), waiting("p1")], False, "code"),
        ([nick("p0"), blocked("p1", nick("p1"), NOW)], False, "code"),
        # Somebody has asked under that name already.
        ([nick("ada")], False, "waits"),
        ([waiting("ada")], False, "waits"),
        ([waiting("ada")], True, "waits"),
        ([nick("ada")], True, "code"),
        ([nick("ada"), nick("p1"), waiting("p2")], True, "code"),
    ],
)
def test_names_that_anybody_may_use_leave_a_place_for_others(
    known: list[Person], verified: bool, result: str
) -> None:
    message = says("ada", verified=verified)
    found = new_request(people(*known).get("ada"), known, message, NOW, "id", CODE)
    assert (found if isinstance(found, str) else "code") == result
    if isinstance(found, Person):
        assert (found.code, found.verified) == (CODE, verified)


@pytest.mark.parametrize("typed", [CODE, "abcd2345", " ABCD-2345 ", "abcd 2345"])
def test_a_code_is_found_however_it_is_typed(typed: str) -> None:
    asked = waiting("ada", code=CODE)
    assert with_code([waiting("bob", code="EFGH2345"), asked], typed, NOW) is asked
    assert with_code([asked], typed, NOW + PENDING_MS) is None
    assert with_code([approved(asked, NOW)], typed, NOW) is None


def test_a_request_is_found_by_its_id_while_it_is_open() -> None:
    asked = waiting("ada")
    assert with_id([waiting("bob"), asked], "id-ada", NOW) is asked
    assert with_id([asked], "id-ada", NOW + PENDING_MS) is None
    assert with_id([asked], "", NOW) is None


@pytest.mark.parametrize(
    ("asked", "writes", "admitted"),
    [(True, True, True), (True, False, False), (False, False, True), (False, True, True)],
)
def test_who_was_vouched_for_has_to_be_ever_after(
    asked: bool, writes: bool, admitted: bool
) -> None:
    person = approved(Person("ada", verified=asked, code=CODE, created=NOW), NOW + 5)
    assert (person.code, person.created) == ("", NOW + 5)
    assert person.admits(Sender("ada", verified=writes)) is admitted
    assert not blocked("ada", person, NOW).admits(Sender("ada", verified=writes))


def test_who_is_forgotten_leaves_nothing_but_that() -> None:
    assert forgotten(waiting("ada", code=CODE)) == Person("ada", "forgotten")


def test_the_invitation_says_how_the_owner_approves() -> None:
    text = invitation("Telegram", "telegram:main", waiting("777", code=CODE))
    assert "`777`" in text
    assert f"trunkline pairing approve telegram {CODE}" in text


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, PENDING_MS)), max_size=30))
def test_however_many_come_no_more_than_a_few_wait(visits: list[tuple[str, int]]) -> None:
    known: dict[str, Person] = {}
    now = NOW
    codes: dict[str, Any] = {}
    for number, (sender, later) in enumerate(visits):
        now += later
        found = new_request(
            known.get(sender), known.values(), says(sender), now, str(number), str(number)
        )
        if isinstance(found, Person):
            assert codes.get(sender, -PENDING_MS) + PENDING_MS <= now, "one code an hour each"
            codes[sender] = now
            known[sender] = found
        assert sum(each.waits(now) for each in known.values()) <= MAX_PENDING


def test_no_letter_of_a_code_looks_like_another() -> None:
    assert not set("0O1I") & set(CODE_LETTERS)
    assert len(set(CODE_LETTERS)) == len(CODE_LETTERS) == 32
