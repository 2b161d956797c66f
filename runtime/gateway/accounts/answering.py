"""Decides about the messages that agents answer, each once, over restarts of the gateway.

The agents' side is a consumer of the journal. Up to where it has read, what it has answered itself
and the runs that will answer are one record; the outbox sends the answers. So a gateway that is
killed leaves either a message that is not decided about yet or a run that has not ended yet, and
the next one goes on from there. The messages of an account without a journal come once, and are
read from memory alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ipc.epoch import now_ms
from ipc.errors import FrameError, IpcError
from ipc.frames.cursors import Cursor, parse_cursor
from runtime.gateway.access_policy.admit import AdmissionOutcome
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.outgoing import OutgoingMessage
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.records import Answered, Outcome, Part
from runtime.gateway.journal.runs import Run
from runtime.gateway.outbox.account import AccountOutbox
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.runs.reception import Reception
from runtime.gateway.runs.runs import Runs

MAX_QUEUED = 256  # parts of one account; what comes beyond is read from the journal later
MAX_UNSTORED = 1000  # messages of one without a journal; more are dropped and counted


class _Reading:
    """How far the messages of one account have been read.

    ``behind``: what follows ``read`` comes from the journal, not from ``parts``; ``missed`` then
    says that something more has come.
    """

    __slots__ = ("behind", "busy", "missed", "parts", "read")

    def __init__(self, read: Cursor, *, behind: bool) -> None:
        self.read = read
        self.behind = behind
        self.missed = self.busy = False
        self.parts: deque[tuple[int, int, Part]] = deque()


class Answering:
    """The messages of all accounts that an agent answers. ``flush_soon`` ends the loop's turn."""

    def __init__(
        self,
        agents: Agents,
        jobs: Jobs,
        outbox: Outbox,
        gatekeeper: Gatekeeper,
        intake: Intake,
        reception: Reception,
        runs: Runs,
        flush_soon: Callable[[], None],
    ) -> None:
        self._agents = agents
        self._jobs = jobs
        self._outbox = outbox
        self._gatekeeper = gatekeeper
        self._intake = intake
        self._reception = reception
        self._runs = runs
        self._flush_soon = flush_soon
        self._readings: dict[str, _Reading] = {}
        self._closed = False

    def welcomed(self, key: str) -> None:
        """Begin, or go on: the account can be called."""
        journal = self._intake.journal
        if journal is None or self._closed or not self._intake.is_on(key):
            return
        reading = self._readings.get(key)
        if reading is None:
            place = journal.place(key)
            read = (0, 0) if place is None else place.settled or place.floor or (0, 0)
            reading = self._readings[key] = _Reading(read, behind=True)
        self._pump(key, reading)

    def forget(self, key: str) -> None:
        """Forget an account that is no more, or has no journal any more."""
        self._readings.pop(key, None)

    def on_stored(self, key: str, incarnation: int, at: int, part: Part) -> None:
        """Take what has been stored of an account."""
        reading = self._readings.get(key)
        if reading is None or self._closed:
            return
        if reading.behind or len(reading.parts) >= MAX_QUEUED:
            reading.behind = reading.missed = True
        else:
            reading.parts.append((incarnation, at, part))
        self._pump(key, reading)

    def on_message(self, key: str, flags: int, payload: bytes) -> None:
        """Take a message of an account without a journal."""
        if self._closed or not self._reception.is_answered(key):
            return
        if not self._agents.may_answer(key, flags):
            return
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = _Reading((0, 0), behind=False)
        if len(reading.parts) >= MAX_UNSTORED:
            self._agents.failed["busy"] += 1
            return
        self._intake.open()
        reading.parts.append((0, now_ms(), Part(0, bytes([flags]), [payload])))
        self._pump(key, reading)

    def close(self) -> None:
        """Begin nothing more; what is not decided about is the next gateway's."""
        self._closed = True

    def _pump(self, key: str, reading: _Reading) -> None:
        if not reading.busy:
            reading.busy = True
            self._jobs.start(self._read_all(key, reading))

    async def _read_all(self, key: str, reading: _Reading) -> None:
        """Decide about everything that follows what was read last."""
        try:
            while not self._closed and self._readings.get(key) is reading:
                if not reading.parts and not reading.behind:
                    return
                account, journal = await self._outbox.opened(key)
                await self._outbox.room(account)
                await self._runs.room()
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
                await self._decide(account, reading, parts)
        except IpcError as error:
            self._agents.fails("error", key, error)
            if not reading.behind and not self._intake.is_on(key):
                reading.parts.clear()
        finally:
            reading.busy = False

    async def _decide(
        self, account: AccountOutbox, reading: _Reading, parts: list[tuple[int, int, Part]]
    ) -> None:
        key, journal = account.key, self._intake.journal
        answers: list[OutgoingMessage] = []
        people: list[Person] = []
        runs: list[Run] = []
        asked = self._reception.is_answered(key)
        for incarnation, at, part in parts:
            position = incarnation, part.last
            for flags, payload in zip(part.flags, part.payloads, strict=True):
                if not asked or not self._agents.may_answer(key, flags):
                    continue
                event = self._agents.read(key, payload)
                if event is None:
                    continue
                try:
                    position = position if incarnation else parse_cursor(event.cursor)
                    ruling = self._gatekeeper.decide(key, event.message)
                    people += ruling.people
                    answer = ruling.invitation
                    if ruling.decision.outcome is AdmissionOutcome.CONTEXT:
                        await self._reception.overhear(key, event, at)
                    elif ruling.decision.outcome is AdmissionOutcome.RUN:
                        taken = await self._reception.take(key, event, at)
                        answer, run = taken.answer, taken.run
                        if run is not None:
                            runs.append(run)
                except FrameError as error:
                    self._agents.fails("malformed", key, error)
                    continue
                except Exception as error:  # noqa: BLE001 - one message must not hold up all others
                    self._agents.fails("error", key, error)
                    continue
                if answer is not None:
                    answers.append(self._outbox.prepare_answer(account, answer))
            reading.read = max(reading.read, position)
        people = self._gatekeeper.still_so(key, people)  # agents have taken their time
        if (answers or runs) and journal is not None:
            keys = [answer.row.key for answer in answers]

            def stored(outcome: Outcome) -> None:
                account.stored(keys, outcome)
                self._runs.enter(key, runs, outcome)

            journal.append(Answered(key, reading.read, answers, people, runs), stored)
            self._flush_soon()
