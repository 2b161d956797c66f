"""Has agents answer the messages of journaled accounts, each once, over restarts of the gateway.

The agents' side is a consumer of the journal. What it has answered, and up to where, is one
record; only then is the answer sent, and settled when that is over. So a gateway that is killed
leaves either a message that is not answered yet or an answer that is not sent yet, and the next
one goes on from there. The worker sends each key once, so an answer that is sent again because
the gateway did not live to see its result is not sent twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec

from ipc.errors import CallTimeout, IpcError, PeerGone, RemoteError
from ipc.frames.cursors import Cursor
from runtime.gateway.accounts.agents import MAX_RUNNING, MEANT, SEND_SECONDS, Agents, CallAccount
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.records import Final, Kept, Part, Settled, StoredAnswer

EXPIRES_SECONDS = 3600.0  # an answer that late is not wanted any more
RETRY_SECONDS = 5.0  # until an answer is sent again that an account could not take
MAX_QUEUED = 256  # parts of one account; what comes beyond is read from the journal later


class _Reading:
    """How far the messages of one account have been read.

    ``behind``: what follows ``read`` comes from the journal, not from ``parts``; ``missed`` then
    says that something more has come. ``sending`` holds the keys of answers that are being sent.
    """

    __slots__ = ("behind", "busy", "missed", "parts", "read", "sending")

    def __init__(self, read: Cursor) -> None:
        self.read = read
        self.behind = True
        self.missed = self.busy = False
        self.parts: deque[tuple[int, int, Part]] = deque()
        self.sending: set[str] = set()


class Answering:
    """The answers of journaled accounts. ``journal()`` returns the journal once it is open.

    ``call`` calls an account, as ``AccountCalls.call``; ``flush_soon`` ends the loop's turn.
    """

    def __init__(
        self,
        agents: Agents,
        jobs: Jobs,
        call: CallAccount,
        journal: Callable[[], Journal | None],
        flush_soon: Callable[[], None],
    ) -> None:
        self._agents = agents
        self._jobs = jobs
        self._call = call
        self._journal = journal
        self._flush_soon = flush_soon
        self._readings: dict[str, _Reading] = {}
        self._sending = 0
        self._room = asyncio.Event()
        self._room.set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._closed = False

    def welcomed(self, key: str) -> None:
        """Begin, or go on: the account can be called, so what waits for it is sent."""
        journal = self._journal()
        if journal is None or self._closed:
            return
        reading = self._readings.get(key)
        if reading is None:
            place = journal.place(key)
            read = (0, 0) if place is None else place.settled or place.floor or (0, 0)
            reading = self._readings[key] = _Reading(read)
        self._jobs.start(self._send_stored(journal, key, reading))
        self._pump(journal, key, reading)

    def forget(self, key: str) -> None:
        """Forget an account that is no more, or has no journal any more."""
        self._readings.pop(key, None)

    def on_stored(self, key: str, incarnation: int, at: int, part: Part) -> None:
        """Take what has been stored of an account."""
        reading, journal = self._readings.get(key), self._journal()
        if reading is None or journal is None or self._closed:
            return
        if reading.behind or len(reading.parts) >= MAX_QUEUED:
            reading.behind = reading.missed = True
        else:
            reading.parts.append((incarnation, at, part))
        self._pump(journal, key, reading)

    def close(self) -> None:
        """Begin nothing more; what is not settled is the next gateway's."""
        self._closed = True
        self._room.set()
        for timer in self._timers.values():
            timer.cancel()

    def _pump(self, journal: Journal, key: str, reading: _Reading) -> None:
        if not reading.busy:
            reading.busy = True
            self._jobs.start(self._read_all(journal, key, reading))

    async def _read_all(self, journal: Journal, key: str, reading: _Reading) -> None:
        """Answer everything that follows what was read last."""
        try:
            while not self._closed and self._readings.get(key) is reading:
                await self._room.wait()
                parts = list(reading.parts)
                reading.parts.clear()
                if not parts and reading.behind:
                    reading.missed = False
                    page = await journal.after(key, reading.read)
                    parts = page.parts
                    if not parts and not reading.missed:
                        reading.behind = False
                        continue
                elif not parts:
                    return
                await self._answer(journal, key, reading, parts)
        except IpcError as error:
            self._agents.fails("error", key, error)
        finally:
            reading.busy = False

    async def _answer(
        self, journal: Journal, key: str, reading: _Reading, parts: list[tuple[int, int, Part]]
    ) -> None:
        answers: list[StoredAnswer] = []
        agent = self._agents.agent_of(key)
        now = time.time() * 1000
        for incarnation, at, part in parts:
            if agent is not None:
                for flags, payload in zip(part.flags, part.payloads, strict=True):
                    if flags & MEANT != MEANT:
                        continue
                    if now - at > EXPIRES_SECONDS * 1000:
                        self._agents.failed["expired"] += 1
                        continue
                    answer = await self._agents.answer_to(agent, key, payload)
                    if answer is not None:
                        answers.append(StoredAnswer(answer.key, msgspec.json.encode(answer)))
            reading.read = max(reading.read, (incarnation, part.last))
        if answers:
            reading.sending.update(answer.key for answer in answers)
            record = Final(key, reading.read, answers, int(now))
            journal.append(record, partial(self._send_all, journal, key, reading, answers))
            self._flush_soon()

    def _send_all(
        self,
        journal: Journal,
        key: str,
        reading: _Reading,
        answers: list[StoredAnswer],
        kept: Kept | None,
    ) -> None:
        for answer in answers:
            self._start(journal, key, reading, answer)

    async def _send_stored(self, journal: Journal, key: str, reading: _Reading) -> None:
        """Send the answers that were stored and not settled, but for those under way."""
        now = time.time() * 1000
        for at, answer in await journal.answers(key):
            if answer.key in reading.sending or self._closed:
                continue
            if now - at > EXPIRES_SECONDS * 1000:
                self._agents.failed["expired"] += 1
                self._settle(journal, key, answer)
                continue
            reading.sending.add(answer.key)
            self._start(journal, key, reading, answer)

    def _start(self, journal: Journal, key: str, reading: _Reading, answer: StoredAnswer) -> None:
        if self._closed:
            return
        self._sending += 1
        if self._sending >= MAX_RUNNING:
            self._room.clear()
        self._jobs.start(self._send(journal, key, reading, answer))

    async def _send(
        self, journal: Journal, key: str, reading: _Reading, answer: StoredAnswer
    ) -> None:
        try:
            await self._call(key, "send", answer.message, SEND_SECONDS)
        except (PeerGone, CallTimeout) as error:
            if self._closed:
                return  # the next gateway asks the worker, which knows the key
            self._agents.fails("unknown", key, error)
        except RemoteError as error:
            if error.retryable:
                self._again_later(key, reading, answer)
                return
            self._agents.fails("send", key, error)
        else:
            self._agents.answered += 1
        finally:
            self._sending -= 1
            if self._sending < MAX_RUNNING:
                self._room.set()
        reading.sending.discard(answer.key)
        self._settle(journal, key, answer)

    def _again_later(self, key: str, reading: _Reading, answer: StoredAnswer) -> None:
        """Leave an answer stored; it is sent with the account's next welcome, or in a while."""
        reading.sending.discard(answer.key)
        if not self._closed and key not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(RETRY_SECONDS, self._retry, key)

    def _retry(self, key: str) -> None:
        del self._timers[key]
        if key in self._readings:
            self.welcomed(key)

    def _settle(self, journal: Journal, key: str, answer: StoredAnswer) -> None:
        if not self._closed:
            journal.append(Settled(key, answer.key))
            self._flush_soon()
