"""The call about an attempt, and those that wait for what comes of it."""

from __future__ import annotations

import asyncio

import msgspec

from runtime.gateway.outbox.entries import AttemptWaiter, Entry, fail, resolve
from tests.support.journals import outgoing
from workers.messages import Sent
from workers.process.attempts import SendAttempt


def test_the_worker_reads_what_the_gateway_has_written() -> None:
    entry = Entry(outgoing("k", attempts=3, sent=[Sent("p1", "ada", 5)]), storing=False)
    for begin in (True, False):
        read = msgspec.json.decode(entry.params(begin=begin), type=SendAttempt)
        assert (read.message.key, read.attempt, read.begin) == ("k", 3, begin)
        assert (read.texts, read.sent) == ([], [Sent("p1", "ada", 5)])
        assert (read.edit, read.preview) == ("", False)
    assert (entry.stored, entry.storing, entry.calling) == (True, False, False)


def test_a_result_names_its_attempt() -> None:
    seen: list[object] = []
    waiter = AttemptWaiter(lambda *what: seen.append(what), "k", 2, begin=True)
    error = ValueError("no")
    assert not waiter.done()
    waiter.set_result(b"{}")
    waiter.set_exception(error)
    assert seen == [("k", 2, b"{}", True), ("k", 2, error, True)]


async def test_who_has_given_up_waiting_disturbs_no_one() -> None:
    loop = asyncio.get_running_loop()
    gone, there = loop.create_future(), loop.create_future()
    gone.cancel()
    resolve([gone, there], 1)
    assert await there == 1
    fail([gone, there], ValueError("too late"))
