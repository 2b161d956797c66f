"""What becomes of messages that were given up."""

from __future__ import annotations

from asyncio import TaskGroup

import pytest

from ipc.errors import RemoteError
from runtime.gateway.journal.memory import MemoryJournal
from tests.support.outbox_life import OutboxLife
from tests.support.until import until

REFUSED = RemoteError("UNAVAILABLE", "she has left", details={"reason": "blocked"})


async def test_a_dead_letter_is_tried_again_or_discarded() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: REFUSED)
        life.welcome()
        for key in ("a", "b"):
            await life.send(key, to=key, queue=True)
        await until(lambda: life.outbox.attempts["blocked"] == 2)
        await life.pending()
        (_, first), (_, second) = await life.dead_letters.oldest()
        assert (await life.dead_letters.require(first.id))[1].row == first
        life.worker = lambda call: {"sent": [{"id": "p", "chat": "a", "ts": 1}]}
        await life.dead_letters.retry(first.id)
        await until(lambda: life.outbox.attempts["sent"] == 1)
        await life.dead_letters.discard(second.id)
        await life.pending()
        assert await life.dead_letters.oldest() == []
        with pytest.raises(RemoteError, match="no dead letter"):
            await life.dead_letters.retry(second.id)
        assert (await life.send("a", to="a")).state == "sent"
        assert len(life.calls) == 3


async def test_a_dead_letter_of_an_account_without_a_journal_stays() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: REFUSED)
        life.welcome()
        await life.send("a", queue=True)
        await until(lambda: life.outbox.attempts["blocked"])
        await life.pending()
        ((key, row),) = await life.dead_letters.oldest()
        life.report(journal="off")
        with pytest.raises(RemoteError, match=f"{key} has no journal"):
            await life.dead_letters.retry(row.id)
        assert await life.dead_letters.oldest() == [(key, row)]
        assert len(life.calls) == 1
