"""Has agents answer the messages of journaled accounts, each once, over restarts of the gateway.

The agents' side is a consumer of the journal. What it has answered, and up to where, is one
record with the rows of the answers; the outbox sends them. So a gateway that is killed leaves
either a message that is not answered yet or an answer that is not sent yet, and the next one goes
on from there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from ipc.errors import IpcError
from ipc.frames.cursors import Cursor
from runtime.gateway.access_policy.admit import AdmissionOutcome
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import OutgoingMessage
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.records import Answered, Part
from runtime.gateway.outbox.account import AccountOutbox
from runtime.gateway.outbox.outbox import Outbox

MAX_QUEUED = 256  # parts of one account; what comes beyond is read from the journal later


class _Reading:
    """How far the messages of one account have been read.

    ``behind``: what follows ``read`` comes from the journal, not from ``parts``; ``missed`` then
    says that something more has come.
    """

    __slots__ = ("behind", "busy", "missed", "parts", "read")

    def __init__(self, read: Cursor) -> None:
        self.read = read
        self.behind = True
        self.missed = self.busy = False
        self.parts: deque[tuple[int, int, Part]] = deque()


class Answering:
    """The answers of journaled accounts. ``journal()`` returns the journal once it is open.

    ``flush_soon`` ends the loop's turn.
    """

    def __init__(
        self,
        agents: Agents,
        jobs: Jobs,
        outbox: Outbox,
        gatekeeper: Gatekeeper,
        journal: Callable[[], Journal | None],
        flush_soon: Callable[[], None],
    ) -> None:
        self._agents = agents
        self._jobs = jobs
        self._outbox = outbox
        self._gatekeeper = gatekeeper
        self._journal = journal
        self._flush_soon = flush_soon
        self._readings: dict[str, _Reading] = {}
        self._closed = False

    def welcomed(self, key: str) -> None:
        """Begin, or go on: the account can be called."""
        journal = self._journal()
        if journal is None or self._closed:
            return
        reading = self._readings.get(key)
        if reading is None:
            place = journal.place(key)
            read = (0, 0) if place is None else place.settled or place.floor or (0, 0)
            reading = self._readings[key] = _Reading(read)
        self._pump(key, reading)

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
        self._pump(key, reading)

    def close(self) -> None:
        """Begin nothing more; what is not answered is the next gateway's."""
        self._closed = True

    def _pump(self, key: str, reading: _Reading) -> None:
        if not reading.busy:
            reading.busy = True
            self._jobs.start(self._read_all(key, reading))

    async def _read_all(self, key: str, reading: _Reading) -> None:
        """Answer everything that follows what was read last."""
        try:
            while not self._closed and self._readings.get(key) is reading:
                account, journal = await self._outbox.opened(key)
                await self._outbox.room(account)
                await self._gatekeeper.opened(key)
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
                await self._answer(account, reading, parts)
        except IpcError as error:
            self._agents.fails("error", key, error)
        finally:
            reading.busy = False

    async def _answer(
        self, account: AccountOutbox, reading: _Reading, parts: list[tuple[int, int, Part]]
    ) -> None:
        key, journal = account.key, self._journal()
        answers: list[OutgoingMessage] = []
        people: list[Person] = []
        agent = self._agents.agent_of(key)
        oldest = (time.time() - self._outbox.answer_seconds(key)) * 1000
        for incarnation, at, part in parts:
            if agent is not None:
                for flags, payload in zip(part.flags, part.payloads, strict=True):
                    if not self._agents.may_answer(key, flags):
                        continue
                    event = self._agents.read(key, payload)
                    if event is None:
                        continue
                    try:
                        ruling = self._gatekeeper.decide(key, event.message)
                    except Exception as error:  # noqa: BLE001 - one message must not hold up all others
                        self._agents.fails("error", key, error)
                        continue
                    people += ruling.people
                    answer = ruling.invitation
                    if ruling.decision.outcome is AdmissionOutcome.RUN and at < oldest:
                        self._agents.failed["expired"] += 1
                    elif ruling.decision.outcome is AdmissionOutcome.RUN:
                        answer = await self._agents.answer_to(agent, key, event)
                    if answer is not None:
                        answers.append(self._outbox.prepare_answer(account, answer))
            reading.read = max(reading.read, (incarnation, part.last))
        people = self._gatekeeper.still_so(key, people)  # agents have taken their time
        if answers and journal is not None:
            keys = [answer.row.key for answer in answers]
            journal.append(
                Answered(key, reading.read, answers, people),
                lambda outcome: account.stored(keys, outcome),
            )
            self._flush_soon()
