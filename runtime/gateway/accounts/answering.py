"""Decides about each message that agents may answer exactly once, across restarts.

The agents' side is a consumer of the journal. Up to where it has read, what it has answered itself
and the runs that will answer are one record; the outbox sends the answers. So a gateway that is
killed leaves either a message that is not decided about yet or a run that has not ended yet, and
the next one goes on from there. The messages of an account without a journal come once, and are
read from memory alone.

Of a message that is not admitted the journal keeps no text: it is redacted by the record that moves
the position beyond it. What may be context is kept for as long as ``overheard`` says, and looked at
again by the next gateway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ipc.epoch import now_ms
from ipc.errors import FrameError, IpcError
from ipc.frames.cursors import Cursor, parse_cursor
from ipc.frames.data import ADDRESSED, INBOUND
from runtime.gateway.access_policy.admit import AdmissionOutcome, Decision
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agents import Agents, Received
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.outgoing import OutgoingMessage
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.records import Answered, Outcome, Part, Place, Withheld
from runtime.gateway.journal.redacting import REDACTED
from runtime.gateway.journal.runs import Run
from runtime.gateway.outbox.account import AccountOutbox
from runtime.gateway.outbox.attachments import remove_files, stored_files
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.runs.overheard import KEPT_MS, Overheard
from runtime.gateway.runs.reception import Reception
from runtime.gateway.runs.runs import Runs
from workers.messages import Outbound

MAX_QUEUED = 256  # parts of one account; what comes beyond is read from the journal later
MAX_UNSTORED = 1000  # messages of one without a journal; more are dropped and counted
BATCH = 256  # messages that are decided about before other accounts have their turn
MANY_WITHHELD = 256  # messages that are redacted together
WITHHELD_SECONDS = 1.0  # after which it is done with fewer
# Reasons why a message is context. The text of one that is old stays in the journal.
NO_MENTION, OLD = "no-mention", ("history", "edit")

Stored = tuple[int, int, Part]  # incarnation, time of arrival, frames


class _Undecided(NamedTuple):
    """A message that needs a decision, and when it arrived; ``stored``: the journal has it."""

    cursor: Cursor
    at: int
    flags: int
    event: Received
    stored: bool


class _Decided(msgspec.Struct):
    """The decisions about some messages of an account that become one record."""

    answers: list[OutgoingMessage] = []
    people: list[Person] = []
    runs: list[Run] = []


class _Reading:
    """How far the messages of one account have been read.

    ``behind``: what follows ``read`` comes from the journal, not from ``parts``; ``missed`` then
    says that something more has come. Up to ``settled`` an earlier gateway has decided. What is
    ``withheld`` is redacted by the next record, and its ``files`` go afterwards.
    """

    def __init__(self, place: Place | None, *, behind: bool) -> None:
        settled = None if place is None else place.settled
        self.settled: Cursor = settled or (0, 0)
        self.read: Cursor = (0, 0)
        if place is not None:
            self.read = place.heard or settled or place.floor or (0, 0)
        self.behind = behind
        self.missed = self.busy = False
        self.parts: deque[Stored] = deque()
        self.withheld: list[Withheld] = []
        self.files: list[str] = []
        self.timer: asyncio.TimerHandle | None = None

    def withhold(self, cursor: Cursor, reason: str, event: Received) -> None:
        """Mark a message for redaction: only the fact that it came is kept."""
        self.withheld.append(Withheld(cursor, reason))
        self.files += stored_files(event.message)


class Answering:
    """Processes the messages of all answered accounts. ``flush_soon`` ends the loop's turn.

    The files of messages lie in ``state_dir``.
    """

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
        state_dir: Path | None = None,
    ) -> None:
        self._agents = agents
        self._jobs = jobs
        self._outbox = outbox
        self._gatekeeper = gatekeeper
        self._intake = intake
        self._reception = reception
        self._runs = runs
        self._flush_soon = flush_soon
        self._state_dir = state_dir
        self._readings: dict[str, _Reading] = {}
        self._closed = False

    def on_welcome(self, key: str) -> None:
        """Begin or resume reading the account's messages: it can be called now."""
        journal = self._intake.journal
        if journal is None or self._closed or not self._intake.is_on(key):
            return
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = _Reading(journal.place(key), behind=True)
        self._start_reading(key, reading)

    def forget(self, key: str) -> None:
        """Drop the state of an account that was removed or has no journal any more."""
        reading = self._readings.pop(key, None)
        if reading is not None and reading.timer is not None:
            reading.timer.cancel()
        self._reception.overheard.forget(key)

    def on_stored(self, key: str, incarnation: int, at: int, part: Part) -> None:
        """Handle stored messages of an account."""
        reading = self._readings.get(key)
        if reading is None or self._closed:
            return
        if not (reading.parts or reading.behind or self._reception.is_answered(key)):
            reading.read = incarnation, part.last
            return
        if reading.behind or len(reading.parts) >= MAX_QUEUED:
            reading.behind = reading.missed = True
        else:
            reading.parts.append((incarnation, at, part))
        self._start_reading(key, reading)

    def on_message(self, key: str, flags: int, payload: bytes) -> None:
        """Handle a message of an account without a journal."""
        if self._closed or not self._reception.is_answered(key):
            return
        if not self._agents.may_answer(key, flags):
            return
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = _Reading(None, behind=False)
        if len(reading.parts) >= MAX_UNSTORED:
            self._agents.failed["busy"] += 1
            return
        self._intake.open()
        reading.parts.append((0, now_ms(), Part(0, bytes([flags]), [payload])))
        self._start_reading(key, reading)

    def resume(self) -> None:
        """Resume with the messages that came while nothing could be stored."""
        for key, reading in self._readings.items():
            if (reading.parts or reading.behind) and not self._closed:
                self._start_reading(key, reading)

    def close(self) -> None:
        """Stop: the next gateway decides about the remaining messages."""
        self._closed = True
        for key, reading in self._readings.items():
            if reading.withheld:
                self._store_decisions(key, reading)

    def _start_reading(self, key: str, reading: _Reading) -> None:
        if not reading.busy:
            reading.busy = True
            self._jobs.start(self._read_all(key, reading))

    async def _read_all(self, key: str, reading: _Reading) -> None:
        """Decide about all messages after the last one that was read."""
        try:
            while not self._closed and self._readings.get(key) is reading:
                if not reading.parts and not reading.behind:
                    return
                account, journal = await self._outbox.open(key)
                await self._outbox.wait_for_room(account)
                await self._runs.wait_for_room()
                if self._readings.get(key) is not reading:
                    return  # the account was removed meanwhile
                await self._gatekeeper.people_of(key)
                parts = list(reading.parts)
                reading.parts.clear()
                if not parts and reading.behind:
                    reading.missed = False
                    page = await journal.after(key, reading.read)
                    parts = page.parts
                    if not parts and not reading.missed:
                        reading.behind = False
                        continue
                for batch in _batches(parts):
                    if self._closed:
                        return
                    await self._decide(account, reading, batch)
                    await asyncio.sleep(0)  # other accounts have something, too
        except IpcError as error:
            if self._intake.fault is not None:
                return  # ``resume`` goes on: what came is kept, in memory or in the journal
            self._agents.record_failure("error", key, error)
            if not reading.behind and not self._intake.is_on(key):
                reading.parts.clear()
        finally:
            reading.busy = False

    async def _decide(self, account: AccountOutbox, reading: _Reading, parts: list[Stored]) -> None:
        """Decide about the messages of some parts; store the decisions now or soon."""
        key, decided = account.key, _Decided()
        is_answered = self._reception.is_answered(key)
        for incarnation, at, part in parts:
            position = incarnation, part.last
            if is_answered:
                for message in self._messages(key, incarnation, at, part):
                    position = max(position, message.cursor)
                    await self._decide_about(account, reading, message, decided)
            reading.read = max(reading.read, position)
        people = self._gatekeeper.unchanged(key, decided.people)  # agents have taken their time
        answers, runs, many = decided.answers, decided.runs, len(reading.withheld) >= MANY_WITHHELD
        if answers or runs or many or self._reception.overheard.are_many_due(key):
            self._store_decisions(key, reading, account, answers, people, runs)
        elif reading.withheld and reading.timer is None:
            loop = asyncio.get_running_loop()
            reading.timer = loop.call_later(WITHHELD_SECONDS, self._store_decisions, key, reading)

    def _messages(self, key: str, incarnation: int, at: int, part: Part) -> Iterator[_Undecided]:
        """Yield the messages of a part that need a decision; what is malformed is counted."""
        for number, flags in enumerate(part.flags, part.first):
            payload = part.payloads[number - part.first]
            event = self._decode(key, incarnation, flags, payload)
            if event is None:
                continue
            try:
                cursor = (incarnation, number) if incarnation else parse_cursor(event.cursor)
            except FrameError as error:
                self._agents.record_failure("malformed", key, error)
            else:
                yield _Undecided(cursor, at, flags, event, incarnation > 0)

    def _decode(self, key: str, incarnation: int, flags: int, payload: bytes) -> Received | None:
        """Decode a frame if it is a message that needs a decision, else return ``None``."""
        if incarnation:  # stored: whatever is not admitted is redacted
            asked = flags & INBOUND and not flags & REDACTED
        else:
            asked = self._agents.may_answer(key, flags)
        return self._agents.read(key, payload) if asked else None

    async def _decide_about(
        self, account: AccountOutbox, reading: _Reading, message: _Undecided, decided: _Decided
    ) -> None:
        """Decide about one message. A failure is counted, and holds up no other message."""
        key = account.key
        try:
            answer = await self._answer_to(key, reading, message, decided)
        except FrameError as error:
            self._agents.record_failure("malformed", key, error)
        except Exception as error:  # noqa: BLE001 - one message must not hold up all others
            self._agents.record_failure("error", key, error)
        else:
            if answer is not None:
                decided.answers.append(self._outbox.prepare_answer(account, answer))

    async def _answer_to(
        self, key: str, reading: _Reading, message: _Undecided, decided: _Decided
    ) -> Outbound | None:
        """Admit a message, keep it as context or withhold it; return the gateway's own answer."""
        if message.stored and message.cursor <= reading.settled:
            await self._reprocess(key, reading, message)
            return None
        ruling = self._gatekeeper.rule(key, message.event.message)
        decided.people += ruling.people
        reason = ruling.decision.reason
        match ruling.decision.outcome:
            case AdmissionOutcome.CONTEXT:
                for_that = message.stored and reason not in OLD
                await self._add_context(key, reading, message, stored_for_that=for_that)
            case AdmissionOutcome.RUN if not self._agents.may_answer(key, message.flags):
                pass  # its worker marks it as naming no recipient
            case AdmissionOutcome.RUN:
                return await self._receive(key, message, ruling.decision, decided)
            case _ if message.stored and self._gatekeeper.has_policy(key):
                reading.withhold(message.cursor, reason, message.event)
        return ruling.invitation

    async def _receive(
        self, key: str, message: _Undecided, admitted: Decision, decided: _Decided
    ) -> Outbound | None:
        """Begin the run of an admitted message, if any; return the gateway's own answer."""
        taken = await self._reception.receive(key, message.event, message.at)
        if taken.run is not None:
            decided.runs.append(taken.run)
        if taken.nobody:
            nobody = Decision(AdmissionOutcome.DROP, "no-agent", taken.nobody)
            self._gatekeeper.recount(key, admitted, nobody, message.event.message)
        return taken.answer

    async def _add_context(
        self, key: str, reading: _Reading, message: _Undecided, *, stored_for_that: bool
    ) -> None:
        """Add a message to the context; one that is stored only for that is withheld in the end."""
        cursor, at, event = message.cursor, message.at, message.event
        heard = Overheard(cursor, at, stored_files(event.message)) if stored_for_that else None
        if not await self._reception.add_context(key, event, at, heard) and stored_for_that:
            reading.withhold(cursor, NO_MENTION, event)

    async def _reprocess(self, key: str, reading: _Reading, message: _Undecided) -> None:
        """Add to the context, or redact, a message that an earlier gateway has decided about."""
        if message.flags & ADDRESSED:
            return
        decision = self._gatekeeper.decide(key, message.event.message)
        if decision.outcome is AdmissionOutcome.RUN or decision.reason in OLD:
            return
        if decision.outcome is AdmissionOutcome.CONTEXT and message.at > now_ms() - KEPT_MS:
            await self._add_context(key, reading, message, stored_for_that=True)
        else:
            reading.withhold(message.cursor, decision.reason, message.event)

    def _store_decisions(
        self,
        key: str,
        reading: _Reading,
        account: AccountOutbox | None = None,
        answers: Sequence[OutgoingMessage] = (),
        people: Sequence[Person] = (),
        runs: Sequence[Run] = (),
    ) -> None:
        """Store the decisions and their cursor; redact what must not be kept."""
        journal, overheard = self._intake.journal, self._reception.overheard
        if reading.timer is not None:
            reading.timer.cancel()
            reading.timer = None
        if journal is None:
            return
        redactions, files = reading.withheld, reading.files
        reading.withheld, reading.files = [], []
        for each in overheard.pop_due(key, now_ms()):
            redactions.append(Withheld(each.cursor, NO_MENTION))
            files += each.files
        heard = overheard.released_cursor(key, reading.read)
        keys = [answer.row.key for answer in answers]

        def on_stored(outcome: Outcome) -> None:
            if account is not None:
                account.on_stored(keys, outcome)
            self._runs.add(key, [*runs], outcome)
            if files and self._state_dir is not None:
                self._jobs.start(self._remove(self._state_dir, key, files))

        record = Answered(key, reading.read, [*answers], [*people], [*runs], redactions, heard)
        journal.append(record, on_stored)
        self._flush_soon()

    async def _remove(self, state: Path, key: str, files: list[str]) -> None:
        await asyncio.to_thread(remove_files, state, key, files)


def _batches(parts: list[Stored]) -> Iterator[list[Stored]]:
    """Yield parts in their order, about ``BATCH`` messages at a time."""
    batch: list[Stored] = []
    for each in parts:
        batch.append(each)
        if sum(len(part.payloads) for _, _, part in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
