"""Answers to the messages of journaled accounts: each once, over restarts of the gateway."""

from __future__ import annotations

import time
from asyncio import TaskGroup
from pathlib import Path

import pytest

from ipc.errors import IpcError, PeerGone, RemoteError
from ipc.frames.data import ADDRESSED, INBOUND
from ipc.frames.words import UNAVAILABLE
from runtime.config.access_policy import AccessPolicy
from runtime.gateway.access_policy.gatekeeper import Ruling
from runtime.gateway.accounts import answering
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.people import Person
from runtime.gateway.runs.sessions import OpenConversation
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, journal_of
from tests.support.outbox_life import OutboxLife
from tests.support.until import until
from workers.messages import Inbound


def answer(number: int) -> str:
    """Return the key of the answer to a message."""
    return f"run:{KEY}/1:{number}"


async def test_messages_are_answered_in_order_and_settled() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.welcome()
        await life.hears(1, 3)
        await life.hears(4)
        await until(lambda: life.agents.answered == 4)
    assert life.sent == [answer(number) for number in range(1, 5)]
    assert await life.pending() == []
    place = journal.place(KEY)
    assert place is not None
    assert place.settled == (1, 4)


async def test_an_answer_and_its_position_are_one_record_and_few_commits() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.welcome()
        await until(lambda: KEY in life.outbox.accounts)
        before = journal.commits
        await life.hears(1)
        await until(lambda: life.agents.answered)
        # The message; the run; its end with the answer as attempting; sent.
        assert journal.commits == before + 4


async def test_the_next_gateway_answers_what_was_stored_and_not_answered() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        await first.hears(1, 2)  # no account is there yet, and then it is killed
        second = OutboxLife(tasks, journal, agent="echo")
        second.welcome()
        await until(lambda: second.agents.answered == 2)
        third = OutboxLife(tasks, journal, agent="echo")
        third.welcome()
        await third.rests()
    assert (first.sent, second.sent, third.sent) == ([], [answer(1), answer(2)], [])


@pytest.mark.parametrize("kind", ["memory", "stored"])
async def test_an_answer_that_was_under_way_is_asked_for_and_not_begun_again(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal, TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, worker=lambda call: None, agent="echo")
        first.welcome()
        await first.hears(1)
        await until(lambda: first.calls)
        first.end()
        second = OutboxLife(tasks, journal, agent="echo")
        second.welcome()
        await until(lambda: second.agents.answered == 1)
        assert (first.sent, second.sent) == ([answer(1)], [])
        assert [call["begin"] for call in second.calls] == [False]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RemoteError("INVALID_REQUEST", "no such chat"), "send"),
        (RemoteError(UNAVAILABLE, "no answer", details={"maybeExecuted": True}), "unknown"),
    ],
)
async def test_what_cannot_be_sent_is_counted_and_becomes_a_dead_letter(
    error: IpcError, reason: str
) -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), worker=lambda call: error, agent="echo")
        life.welcome()
        await life.hears(1)
        await until(lambda: life.failed)
        assert life.failed == {reason: 1}
        assert await life.pending() == []
        ((key, letter),) = await life.dead_letters.oldest()
        assert (key, letter.key) == (KEY, answer(1))


async def test_an_answer_is_in_doubt_when_its_worker_has_died() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), worker=lambda call: None, agent="echo")
        life.welcome()
        await life.hears(1)
        await until(lambda: life.calls)
        life.report(1, "backoff")
        life.settle(PeerGone(KEY, maybe_executed=True))
        await until(lambda: life.failed)
        assert life.failed == {"unknown": 1}


async def test_what_is_older_than_the_accounts_limit_is_not_answered_any_more() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        await first.hears(1, at=time.time() - 3700)
        await first.hears(2, at=time.time() - 100)
        second = OutboxLife(tasks, journal, agent="echo")
        second.welcome()
        await until(lambda: second.sent)
        assert second.sent == [answer(2)]
        assert second.failed == {"expired": 1}
        await first.hears(3, at=time.time() - 100)
        third = OutboxLife(tasks, journal, agent="echo")
        third.report(outbox_ttl=60.0)
        third.outbox.on_welcome(KEY)
        third.answering.on_welcome(KEY)
        third.recovery.on_report()
        await until(lambda: third.failed == {"expired": 1})


async def test_what_comes_too_fast_is_read_from_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "MAX_QUEUED", 2)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        life.welcome()
        for first in range(1, 40, 2):
            await life.hears(first, 2)
        await until(lambda: life.agents.answered == 40)
        assert life.sent == [answer(number) for number in range(1, 41)]


async def test_what_an_owner_decides_while_a_message_is_read_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stranger and a friend have written; the stranger is blocked before both are settled."""
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.gatekeeper.configure({KEY: AccessPolicy(dm="pairing", allow_from=["unverified:ada"])})
        opened = life.sessions.open

        async def slowly(key: str, agent: str, now: int) -> OpenConversation:
            life.gatekeeper.append_person(KEY, Person("bob", "blocked"))
            return await opened(key, agent, now)

        monkeypatch.setattr(life.sessions, "open", slowly)
        await life.hears(1, sender={"id": "bob"})
        await life.hears(2, sender={"id": "ada"})
        life.welcome()
        await life.rests()
        await until(lambda: (place := journal.place(KEY)) and place.settled == (1, 2))
    assert [each.state for each in await journal.people(KEY)] == ["blocked"]


async def test_a_message_that_cannot_be_decided_about_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever a platform hands over, the account is read on; it meets it at each start else."""
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        decide = life.gatekeeper.rule

        def fails_once(key: str, message: Inbound) -> Ruling:
            if message.text == "text 2":
                raise TypeError("roles are a number")
            return decide(key, message)

        monkeypatch.setattr(life.gatekeeper, "rule", fails_once)
        life.welcome()
        await life.hears(1, 3)
        await until(lambda: life.agents.answered == 2)
    assert life.sent == [answer(1), answer(3)]
    assert life.agents.failed["error"] == 1


@pytest.mark.parametrize("kept", ["on", "off"])
async def test_what_comes_while_nothing_can_be_stored_is_answered_afterwards(kept: str) -> None:
    """With a journal and without: the fault may have been there before the message."""
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.row = {"journal": kept}
        life.welcome()
        life.intake.open()
        await life.rests()
        journal.fault = "journal full"
        if kept == "on":
            await life.hears(1)
        else:
            life.answering.on_message(KEY, INBOUND | ADDRESSED, payload(KEY, 1))
        await life.rests()
        assert life.sent == []
        journal.fault = None
        life.answering.resume()
        await until(lambda: life.agents.answered == 1)
    assert len(life.sent) == 1
    assert not life.failed


async def test_without_an_agent_nothing_is_answered_and_nothing_stored() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal)
        life.welcome()
        await life.hears(1)
        await life.rests()
        assert (life.sent, journal.commits) == ([], 1)
