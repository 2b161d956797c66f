"""The gate: policies that change, people who are remembered, and what is counted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from ipc.epoch import now_ms
from runtime.config.access_policy import AccessPolicy
from runtime.gateway.access_policy.gatekeeper import SEEN_MS, Gatekeeper
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.people import PENDING_MS, PeopleChanged, Person, PersonState
from runtime.gateway.journal.records import Answered
from tests.support.admission import OPEN, open_gate
from tests.support.journals import KEY, journal_of, store
from workers.messages import Chat, Inbound, Sender

PAIRING = AccessPolicy(dm="pairing", group="allowlist")


def says(sender: str, *, verified: bool = True) -> Inbound:
    who = Sender(sender, verified=verified)
    return Inbound("1", Chat(sender, "direct"), who, "hello", 1, addressed=True)


def gate(journal: Journal) -> Gatekeeper:
    return open_gate(KEY, journal=lambda: journal, flush=journal.flush, policy=PAIRING)


async def test_a_stranger_is_invited_once_and_remembered(tmp_path: Path) -> None:
    async with journal_of("memory", tmp_path) as journal:
        first = gate(journal)
        await first.people_of(KEY)
        ruling = first.rule(KEY, says("ada"))
        assert ruling.decision.outcome == "pair"
        assert ruling.invitation is not None
        (person,) = ruling.people
        assert person.code in ruling.invitation.text
        assert ruling.invitation.to == "ada"
        again = first.rule(KEY, says("ada"))
        assert (again.invitation, again.people, again.decision.reason) == (None, (), "waits")
        assert first.figures(KEY) == {"drop": {"waits": 1}, "pair": {"unknown-sender": 1}}
        await store(journal, PeopleChanged(KEY, [person]))
        second = gate(journal)  # the next gateway
        assert await second.people_of(KEY) == {"ada": person}
        assert second.rule(KEY, says("ada")).decision.reason == "waits"


async def test_what_is_decided_counts_at_once_and_for_the_next_gateway(tmp_path: Path) -> None:
    async with journal_of("stored", tmp_path) as journal:
        first = gate(journal)
        await first.people_of(KEY)
        first.append_person(KEY, Person("ada", "allowed", verified=True))
        first.append_person(KEY, Person("bob", "blocked"))
        assert first.rule(KEY, says("ada")).decision.reason == "paired"
        assert first.rule(KEY, says("bob")).decision.reason == "blocked"
        await store(journal, PeopleChanged("irc:oftc", []))  # behind them
        second = gate(journal)
        assert set(await second.people_of(KEY)) == {"ada", "bob"}
        second.append_person(KEY, Person("bob", "forgotten"))
        assert second.rule(KEY, says("bob")).decision.outcome == "pair"


async def test_when_one_who_waits_has_written_is_stored_once_a_minute(tmp_path: Path) -> None:
    async with journal_of("memory", tmp_path) as journal:
        known = gate(journal)
        await known.people_of(KEY)
        then = now_ms() - 100
        asked = Person("ada", id="1", code="X", verified=True, created=then, seen=then)
        known.append_person(KEY, asked)
        known.rule(KEY, says("ada"))
        assert (await known.people_of(KEY))["ada"] == asked
        old = msgspec.structs.replace(asked, seen=now_ms() - SEEN_MS)
        known.append_person(KEY, old)
        known.rule(KEY, says("ada"))
        assert (await known.people_of(KEY))["ada"].seen > old.seen


NO_CASE = msgspec.structs.replace(PAIRING, ignore_case=True)


async def test_a_request_under_anothers_name_gives_way_in_every_spelling(tmp_path: Path) -> None:
    async with journal_of("stored", tmp_path) as journal:
        first = gate(journal)
        first.configure({KEY: NO_CASE})
        await first.people_of(KEY)
        free_nick = Person("bob", id="1", code="X", created=now_ms())
        first.append_person(KEY, free_nick)
        ruling = first.rule(KEY, says("Bob"))
        assert ruling.invitation is not None
        await store(journal, Answered(KEY, (1, 1), [], list(ruling.people)))
        second = gate(journal)
        second.configure({KEY: NO_CASE})
        (person,) = (await second.people_of(KEY)).values()
        assert (person.sender, person.verified) == ("Bob", True)


@pytest.mark.parametrize("state", ["pending", "allowed", "blocked"])
async def test_where_case_says_nothing_all_spellings_are_one_person(
    tmp_path: Path, state: PersonState
) -> None:
    reason = {"pending": "waits", "allowed": "paired", "blocked": "blocked"}[state]
    async with journal_of("stored", tmp_path) as journal:
        first = gate(journal)
        first.configure({KEY: NO_CASE})
        await first.people_of(KEY)
        first.append_person(KEY, Person("Bob", state, verified=True, created=now_ms()))
        assert first.rule(KEY, says("bOB")).decision.reason == reason
        await store(journal, PeopleChanged("irc:oftc", []))  # behind it
        second = gate(journal)
        await second.people_of(KEY)  # before its configuration has come
        assert second.rule(KEY, says("bob")).decision.outcome == "pair"  # another one there
        second.configure({KEY: NO_CASE})
        assert second.rule(KEY, says("BOB")).decision.reason == reason


async def test_one_person_takes_one_place_of_those_who_may_wait(tmp_path: Path) -> None:
    async with journal_of("memory", tmp_path) as journal:
        known = gate(journal)
        known.configure({KEY: NO_CASE})
        await known.people_of(KEY)
        for spelling in ("bob", "Bob", "BOB", "bOb"):
            known.rule(KEY, says(spelling))
        assert known.rule(KEY, says("ada")).decision.outcome == "pair"


@pytest.mark.parametrize("state", ["allowed", "blocked", "forgotten"])
async def test_what_was_decided_meanwhile_is_not_taken_back(
    tmp_path: Path, state: PersonState
) -> None:
    async with journal_of("memory", tmp_path) as journal:
        known = gate(journal)
        await known.people_of(KEY)
        people = [*known.rule(KEY, says("ada")).people, *known.rule(KEY, says("bob")).people]
        assert known.unchanged(KEY, people) == people
        known.append_person(KEY, Person("ada", state))
        assert [each.sender for each in known.unchanged(KEY, people)] == ["bob"]


async def test_a_late_request_goes_in_the_spelling_in_which_it_is_stored(tmp_path: Path) -> None:
    async with journal_of("memory", tmp_path) as journal:
        known = gate(journal)
        known.configure({KEY: NO_CASE})
        await known.people_of(KEY)
        known.append_person(KEY, Person("Bob", created=now_ms() - PENDING_MS - 1))
        people = known.unchanged(KEY, known.rule(KEY, says("bob")).people)
        assert [(each.sender, each.state) for each in people] == [
            ("Bob", "forgotten"),
            ("bob", "pending"),
        ]


def test_the_next_message_is_decided_by_the_new_policy() -> None:
    known = open_gate(KEY)
    assert known.rule(KEY, says("ada")).decision.outcome == "run"
    known.configure({KEY: AccessPolicy(dm="disabled")})
    assert known.rule(KEY, says("ada")).decision.reason == "dm-disabled"
    known.configure({})
    assert known.rule(KEY, says("ada")).decision.outcome == "drop"


def test_an_account_that_is_no_more_leaves_nothing() -> None:
    known = open_gate(KEY)
    known.rule(KEY, says("ada"))
    known.forget(KEY)
    assert (known.figures(KEY), known.policy_of(KEY) == OPEN) == ({}, False)
    assert dict(known.counts) == {}


async def test_while_no_journal_is_open_nothing_is_taken_for_known(tmp_path: Path) -> None:
    opened: list[Journal] = []
    known = open_gate(KEY, journal=lambda: opened[0] if opened else None, policy=PAIRING)
    assert await known.people_of(KEY) == {}
    async with journal_of("memory", tmp_path) as journal:
        await store(journal, PeopleChanged(KEY, [Person("ada", "allowed")]))
        opened.append(journal)
        assert set(await known.people_of(KEY)) == {"ada"}


async def test_requests_that_nobody_has_decided_about_do_not_pile_up(tmp_path: Path) -> None:
    async with journal_of("memory", tmp_path) as journal:
        known = gate(journal)
        await known.people_of(KEY)
        known.append_person(KEY, Person("eve", created=now_ms() - PENDING_MS))
        known.append_person(KEY, Person("bob", "blocked"))
        ruling = known.rule(KEY, says("ada"))
        assert [(each.sender, each.state) for each in ruling.people] == [
            ("eve", "forgotten"),
            ("ada", "pending"),
        ]
        assert set(await known.people_of(KEY)) == {"ada", "bob"}


def test_a_pattern_names_the_account_too() -> None:
    policy = AccessPolicy(group="open", mentions=[r"\bhey\s+bot\b"])
    known = open_gate(KEY, policy=policy)
    assert policy.hears_unaddressed

    def said(text: str) -> Inbound:
        who = Sender("ada", verified=True)
        return Inbound("1", Chat("#room", "group"), who, text, 1)

    assert known.rule(KEY, said("Hey  BOT, are you there?")).decision.outcome == "run"
    assert known.rule(KEY, said("heybot")).decision.reason == "no-mention"
    known.configure({KEY: AccessPolicy(group="open")})
    assert known.rule(KEY, said("hey bot")).decision.reason == "no-mention"


async def test_an_account_that_is_removed_while_its_people_are_read_leaves_nothing(
    tmp_path: Path,
) -> None:
    async with journal_of("stored", tmp_path) as journal:
        found = gate(journal)
        reading = asyncio.ensure_future(found.people_of(KEY))
        await asyncio.sleep(0)  # it waits for the journal
        found.forget(KEY)
        assert await reading == {}
        assert KEY not in str(vars(found))
