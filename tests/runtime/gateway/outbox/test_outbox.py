"""What is accepted, under which key, and what becomes of dead letters."""

from __future__ import annotations

from asyncio import TaskGroup
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.status import Hold
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.outbox import account
from tests.support.journals import KINDS, journal_of
from tests.support.outbox_life import OutboxLife
from tests.support.until import until

REFUSED = RemoteError("UNAVAILABLE", "she has left", details={"reason": "blocked"})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_is_sent_once_over_restarts_of_everything(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal, TaskGroup() as tasks:
        first = OutboxLife(tasks, journal)
        first.welcome()
        rows = [await first.send("k"), await first.send("k")]
        second = OutboxLife(tasks, journal)
        second.report(2)
        second.welcome(2)
        rows.append(await second.send("k"))
        assert [row.sent[0].id for row in rows] == ["p1.0"] * 3
        assert (len(first.calls), len(second.calls)) == (1, 0)
        with pytest.raises(RemoteError, match="different input"):
            await second.send("k", text="something else")


async def test_who_asks_while_it_is_under_way_gets_the_same_result() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: None)
        life.welcome()
        both = [tasks.create_task(life.send("k")) for _ in range(2)]
        await until(lambda: life.calls)
        with pytest.raises(RemoteError, match="different input"):
            await life.send("k", text="something else")
        life.settle({"sent": [{"id": "p", "chat": "ada", "ts": 1}]})
        assert [(await each).sent[0].id for each in both] == ["p", "p"]
        assert len(life.calls) == 1


@pytest.mark.parametrize(
    ("row", "accepted"),
    [
        ({"phase": "running"}, True),
        ({"phase": "starting"}, True),
        ({"phase": "backoff"}, True),
        ({"phase": "stopped"}, True),  # wanted: its start waits for others
        ({"phase": "stopping"}, True),
        ({"phase": "stopped", "wanted": False}, False),
        ({"phase": "stopped", "hold": Hold(1)}, False),
        ({"phase": "failed"}, False),
    ],
)
async def test_only_an_account_that_comes_by_itself_is_waited_for(
    row: dict[str, Any], accepted: bool
) -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, **row)
        if accepted:
            assert (await life.send("k", queue=True)).state == "queued"
        else:
            with pytest.raises(RemoteError, match="not running") as found:
                await life.send("k", queue=True)
            assert found.value.retryable
        assert len(await life.pending()) == accepted
        life.end()


async def test_nothing_is_accepted_that_cannot_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MAX_ROWS", 2)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        for key in ("a", "b"):
            await life.send(key, queue=True)
        with pytest.raises(RemoteError, match="2 messages are to be sent already"):
            await life.send("c", queue=True)
        with pytest.raises(RemoteError, match="at most"):
            await life.send("d", text="x" * 600_000)
        life.journal.trouble = "journal full"
        with pytest.raises(RemoteError, match="journal full") as found:
            await life.send("e")
        assert found.value.retryable
        life.end()


async def test_what_waits_and_how_attempts_end_is_counted() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: REFUSED)
        life.report(1, "starting")
        assert life.outbox.figures()["depth"] == 0
        await life.send("k", queue=True)
        assert life.outbox.depth == 1
        life.welcome()
        await until(lambda: not life.outbox.depth)
        figures = life.outbox.figures()
        assert (figures["oldestMs"], figures["attempts"]["blocked"]) == (0, 1)


async def test_a_dead_letter_is_tried_again_or_discarded() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: REFUSED)
        life.welcome()
        for key in ("a", "b"):
            await life.send(key, to=key, queue=True)
        await until(lambda: life.outbox.attempts["blocked"] == 2)
        await life.pending()
        (_, first), (_, second) = await life.outbox.letters()
        assert (await life.outbox.letter(first.id))[1].row == first
        life.worker = lambda call: {"sent": [{"id": "p", "chat": "a", "ts": 1}]}
        await life.outbox.retry(first.id)
        await until(lambda: life.outbox.attempts["sent"] == 1)
        await life.outbox.discard(second.id)
        await life.pending()
        assert await life.outbox.letters() == []
        with pytest.raises(RemoteError, match="no dead letter"):
            await life.outbox.retry(second.id)
        assert (await life.send("a", to="a")).state == "sent"
        assert len(life.calls) == 3


async def test_an_account_that_leaves_takes_its_callers_with_it() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        waiting = tasks.create_task(_refused(life))
        await until(lambda: life.outbox.depth)
        life.report(1, "starting", journal="off")
        assert "no journal any more" in await waiting
        assert life.outbox.depth == 0


async def _refused(life: OutboxLife) -> str:
    with pytest.raises(RemoteError) as found:
        await life.send("k")
    return str(found.value)
