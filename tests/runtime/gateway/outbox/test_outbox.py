"""What is accepted, and under which key."""

from __future__ import annotations

import asyncio
import threading
from asyncio import TaskGroup
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.status import Hold
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.outbox import account_rows, capacity, outbox
from tests.support.journals import KEY, KINDS, journal_of
from tests.support.outbox_life import OutboxLife, done
from tests.support.until import PATIENCE, until
from workers.messages import Attachment, Outbound

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


STATES: dict[str, tuple[dict[str, Any], str | None]] = {
    "running": ({"phase": "running"}, None),
    "starting": ({"phase": "starting"}, None),
    "waiting for its gateway": ({"phase": "starting", "cause": "waiting"}, None),
    "backoff": ({"phase": "backoff"}, None),
    "its start waits for others": ({"phase": "stopped"}, None),
    "about to be replaced": ({"phase": "stopping"}, None),
    "stopping for good": ({"phase": "stopping", "wanted": False}, "not running"),
    "disabled": ({"phase": "stopped", "cause": "disabled", "wanted": False}, "disabled"),
    "held": ({"phase": "stopped", "cause": "held", "hold": Hold(1)}, "held"),
    "failed": ({"phase": "failed"}, "not running"),
    "failed, with a slow try": ({"phase": "failed", "retry": "slow"}, "not running"),
    "waits for a login": ({"phase": "starting", "cause": "linking"}, "login"),
    "needs a login": ({"phase": "failed", "cause": "needs_login"}, "login"),
    "drained": ({"phase": "running", "draining": True}, "is being drained"),
    "drained while it starts": ({"phase": "starting", "draining": True}, "is being drained"),
}


@pytest.mark.parametrize("queue", [True, False])
@pytest.mark.parametrize("state", [*STATES, "unknown", "gateway draining"])
async def test_what_does_not_come_by_itself_is_refused_at_once_without_a_row(
    state: str, queue: bool
) -> None:
    row, refusal = STATES.get(state, ({"phase": "running"}, "the gateway is ending"))
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: None)
        life.report(1, **row)
        if row.get("phase") == "running":
            life.welcome()
            life.report(1, **row)
        if state == "gateway draining":
            life.outbox.stop_accepting()
        key = "irc:nobody" if state == "unknown" else KEY
        refusal = "not known" if state == "unknown" else refusal
        message = Outbound("ada", "hi", "k")
        if refusal is None:
            sending = tasks.create_task(life.outbox.send(key, message, queue=queue))
            await until(lambda: life.outbox.depth)
        else:
            with pytest.raises(RemoteError, match=refusal) as found:
                await life.outbox.send(key, message, queue=queue)
            assert found.value.retryable is (found.value.code != "NOT_LINKED")
        assert len(await life.pending()) == (refusal is None)
        if refusal is None:
            sending.cancel()
        life.end()


async def test_what_was_accepted_before_the_gateway_drains_goes_on() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: None)
        life.welcome()
        sending = tasks.create_task(life.send("k"))
        await until(lambda: life.waiting)
        life.outbox.stop_accepting()
        life.settle(done())
        assert (await sending).state == "sent"


@pytest.mark.parametrize("bound", [{"MAX_ROWS": 3}, {"MAX_BYTES": 400}])
async def test_all_accounts_together_are_bounded(
    monkeypatch: pytest.MonkeyPatch, bound: dict[str, int]
) -> None:
    for name, value in bound.items():
        monkeypatch.setattr(capacity, name, value)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        for key in ("a", "b", "c"):
            await life.send(key, text="x" * 80, queue=True)
        with pytest.raises(RemoteError, match="of all accounts are to be sent already") as found:
            await life.send("d", text="x" * 80, queue=True)
        assert (found.value.code, found.value.retryable) == ("UNAVAILABLE", True)
        assert (await life.send("a", text="x" * 80, queue=True)).key == "a"  # known: no new row
        assert life.outbox.figures()["refused"] == 1
        life.welcome()
        await until(lambda: not life.outbox.depth)
        assert life.outbox.figures()["bytes"] == 0
        assert (await life.send("d", text="x" * 80)).state == "sent"


@pytest.mark.parametrize("kind", KINDS)
async def test_what_waits_is_not_kept_in_memory(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "HELD_BYTES", 3_000)
    async with journal_of(kind, tmp_path) as journal, TaskGroup() as tasks:
        first = OutboxLife(tasks, journal)
        first.report(1, "starting")
        for number in range(20):
            await first.send(f"k{number}", text=f"{number} " + "x" * 1000, queue=True)
        figures = first.outbox.figures()
        assert figures["bytes"] > 20_000
        assert figures["heldBytes"] <= 3_000
        first.end()
        second = OutboxLife(tasks, journal, lambda call: None)
        second.report(2)
        second.welcome(2)
        await until(lambda: second.waiting)
        assert second.outbox.figures()["bytes"] == figures["bytes"]
        while second.outbox.depth:
            await until(lambda: second.waiting)
            assert second.outbox.figures()["heldBytes"] < 3_000
            second.settle(done())
        texts = [call["message"]["text"].split()[0] for call in second.calls]
        assert texts == [str(number) for number in range(20)]
        assert second.outbox.figures()["heldBytes"] == 0


async def test_nothing_is_accepted_that_cannot_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_rows, "MAX_ROWS", 2)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        for key in ("a", "b"):
            await life.send(key, queue=True)
        with pytest.raises(RemoteError, match="2 messages are to be sent already"):
            await life.send("c", queue=True)
        with pytest.raises(RemoteError, match="at most"):
            await life.send("d", text="x" * 600_000)
        life.journal.fault = "journal full"
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


async def test_an_account_that_leaves_takes_its_callers_with_it() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        waiting = tasks.create_task(_refused(life))
        await until(lambda: life.outbox.depth)
        life.report(1, "starting", journal="off")
        assert "no journal any more" in await waiting
        assert life.outbox.depth == 0


async def test_one_that_leaves_while_files_are_protected_takes_their_sender_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, gone = threading.Event(), threading.Event()

    def protect(*about: object) -> None:
        begun.set()
        assert gone.wait(PATIENCE)

    monkeypatch.setattr(outbox, "protect", protect)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), state_dir=tmp_path)
        life.report(1, "starting")
        files = [Attachment(f"media:{'a' * 32}")]
        waiting = life.outbox.send(KEY, Outbound("ada", "look", "k", attachments=files))
        sending = asyncio.create_task(waiting)
        await until(begun.is_set)
        life.report(1, "starting", journal="off")
        gone.set()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(RemoteError, match="no journal any more"):
                await sending


async def _refused(life: OutboxLife) -> str:
    with pytest.raises(RemoteError) as found:
        await life.send("k")
    return str(found.value)
