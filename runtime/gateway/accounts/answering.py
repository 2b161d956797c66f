"""Decides about each message that agents may answer exactly once, across restarts.

The agents' side is a consumer of the journal. Up to where it has read, what it has answered itself
and the runs that will answer are one record; the outbox sends the answers. So a gateway that is
killed leaves either a message that is not decided about yet or a run that has not ended yet, and
the next one goes on from there. The messages of an account without a journal come once, and are
read from memory alone.

The record that moves the position beyond a message also redacts it, if it is not admitted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from ipc.epoch import now_ms
from ipc.errors import FrameError, IpcError
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.decisions import (
    NO_MENTION,
    MadeDecisions,
    MessageDecisions,
    UndecidedMessage,
)
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.reading import Reading, StoredPart, batches
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.records import Answered, Outcome, Part, Withheld
from runtime.gateway.outbox.account import AccountOutbox
from runtime.gateway.outbox.attachments import remove_files
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.runs.reception import Reception
from runtime.gateway.runs.runs import Runs

log = structlog.get_logger("gateway.answering")

MAX_QUEUED = 256  # parts of one account; what comes beyond is read from the journal later
MAX_UNSTORED = 1000  # messages of one without a journal; more are dropped and counted
MANY_WITHHELD = 256  # messages that are redacted together
WITHHELD_SECONDS = 1.0  # after which it is done with fewer


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
        self._decisions = MessageDecisions(agents, gatekeeper, reception)
        self._agents = agents
        self._jobs = jobs
        self._outbox = outbox
        self._gatekeeper = gatekeeper
        self._intake = intake
        self._reception = reception
        self._runs = runs
        self._flush_soon = flush_soon
        self._state_dir = state_dir
        self._readings: dict[str, Reading] = {}
        self._closed = False

    def on_welcome(self, key: str) -> None:
        """Begin or resume reading the account's messages: it can be called now."""
        journal = self._intake.journal
        if journal is None or self._closed or not self._intake.is_on(key):
            return
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = Reading(journal.place(key), behind=True)
        self._start_reading(key, reading)

    def forget(self, key: str) -> None:
        """Drop the state of an account that was removed or has no journal any more."""
        reading = self._readings.pop(key, None)
        if reading is not None:
            reading.stop_timer()
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
            reading = self._readings[key] = Reading(None, behind=False)
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

    def _start_reading(self, key: str, reading: Reading) -> None:
        if not reading.busy:
            reading.busy = True
            self._jobs.start(self._read_all(key, reading))

    async def _read_all(self, key: str, reading: Reading) -> None:
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
                for batch in batches(parts):
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

    async def _decide(
        self, account: AccountOutbox, reading: Reading, parts: list[StoredPart]
    ) -> None:
        """Decide about the messages of some parts; store the decisions now or soon."""
        key, decided = account.key, MadeDecisions()
        is_answered = self._reception.is_answered(key)
        for incarnation, at, part in parts:
            position = incarnation, part.last
            if is_answered:
                for message in self._decisions.undecided(key, incarnation, at, part):
                    position = max(position, message.cursor)
                    await self._decide_about(account, reading, message, decided)
            reading.read = max(reading.read, position)
        # Some may have changed, while a conversation was read.
        decided.people = self._gatekeeper.unchanged(key, decided.people)
        many = len(reading.withheld) >= MANY_WITHHELD
        if decided.has_effect or many or self._reception.overheard.are_many_due(key):
            self._store_decisions(key, reading, account, decided)
        elif reading.withheld and reading.timer is None:
            loop = asyncio.get_running_loop()
            reading.timer = loop.call_later(WITHHELD_SECONDS, self._store_decisions, key, reading)

    async def _decide_about(
        self,
        account: AccountOutbox,
        reading: Reading,
        message: UndecidedMessage,
        decided: MadeDecisions,
    ) -> None:
        """Decide about one message. A failure is counted, and holds up no other message."""
        key = account.key
        try:
            answer = await self._decisions.decide(key, reading, message, decided)
        except FrameError as error:
            self._agents.record_failure("malformed", key, error)
        except Exception as error:  # noqa: BLE001 - one message must not hold up all others
            self._agents.record_failure("error", key, error)
        else:
            if answer is not None:
                decided.answers.append(self._outbox.prepare_answer(account, answer))

    def _store_decisions(
        self,
        key: str,
        reading: Reading,
        account: AccountOutbox | None = None,
        decided: MadeDecisions | None = None,
    ) -> None:
        """Store the decisions and their cursor; redact what must not be kept."""
        journal, overheard = self._intake.journal, self._reception.overheard
        decided = MadeDecisions() if decided is None else decided
        reading.stop_timer()
        if journal is None:
            return
        redactions, files = reading.pop_withheld()
        for each in overheard.pop_due(key, now_ms()):
            redactions.append(Withheld(each.cursor, NO_MENTION))
            files += each.files
        heard = overheard.released_cursor(key, reading.read)
        answers, people, runs = decided.answers, decided.people, decided.runs
        keys = [answer.row.key for answer in answers]

        def on_stored(outcome: Outcome) -> None:
            if account is not None:
                account.on_stored(keys, outcome)
            self._runs.add(key, [*runs], outcome)
            if files and self._state_dir is not None:
                self._jobs.start(self._remove(self._state_dir, key, files))

        record = Answered(key, reading.read, answers, people, runs, redactions, heard)
        journal.append(record, on_stored)
        self._flush_soon()

    async def _remove(self, state: Path, key: str, files: list[str]) -> None:
        try:
            await asyncio.to_thread(remove_files, state, key, files)
        except OSError as error:
            log.warning("files of messages were not removed", account=key, error=str(error))
