"""Decides about a message that agents may answer: a run, an answer, context, or redaction.

Of a message that is not admitted the journal keeps no text. What may be context is kept for as long
as ``overheard`` says, and looked at again by the next gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ipc.epoch import now_ms
from ipc.errors import FrameError
from ipc.frames.cursors import Cursor, parse_cursor
from ipc.frames.data import ADDRESSED, INBOUND
from runtime.gateway.access_policy.admit import AdmissionOutcome, Decision
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agents import Agents, Received
from runtime.gateway.accounts.reading import Reading
from runtime.gateway.journal.outgoing import OutgoingMessage
from runtime.gateway.journal.people import Person
from runtime.gateway.journal.records import Part
from runtime.gateway.journal.redacting import REDACTED
from runtime.gateway.journal.runs import Run
from runtime.gateway.outbox.attachments import stored_files
from runtime.gateway.runs.overheard import KEPT_MS, Overheard
from runtime.gateway.runs.reception import Reception
from workers.messages import Outbound

# Reasons why a message is context. The text of one that is old stays in the journal.
NO_MENTION, OLD = "no-mention", ("history", "edit")


class UndecidedMessage(NamedTuple):
    """A message that needs a decision, and when it arrived; ``stored``: the journal has it."""

    cursor: Cursor
    at: int
    flags: int
    event: Received
    stored: bool


class MadeDecisions(msgspec.Struct):
    """The decisions about some messages of an account that become one record."""

    answers: list[OutgoingMessage] = []
    people: list[Person] = []
    runs: list[Run] = []

    @property
    def has_effect(self) -> bool:
        """Whether something is to be sent, or an agent is to be asked."""
        return bool(self.answers or self.runs)


class MessageDecisions:
    """Decides about the messages of all accounts, one after the other for each."""

    def __init__(self, agents: Agents, gatekeeper: Gatekeeper, reception: Reception) -> None:
        self._agents = agents
        self._gatekeeper = gatekeeper
        self._reception = reception

    def undecided(
        self, key: str, incarnation: int, at: int, part: Part
    ) -> Iterator[UndecidedMessage]:
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
                yield UndecidedMessage(cursor, at, flags, event, incarnation > 0)

    def _decode(self, key: str, incarnation: int, flags: int, payload: bytes) -> Received | None:
        """Decode a frame if it is a message that needs a decision, else return ``None``."""
        if incarnation:  # stored: whatever is not admitted is redacted
            asked = flags & INBOUND and not flags & REDACTED
        else:
            asked = self._agents.may_answer(key, flags)
        return self._agents.read(key, payload) if asked else None

    async def decide(
        self, key: str, reading: Reading, message: UndecidedMessage, decided: MadeDecisions
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
        self, key: str, message: UndecidedMessage, admitted: Decision, decided: MadeDecisions
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
        self, key: str, reading: Reading, message: UndecidedMessage, *, stored_for_that: bool
    ) -> None:
        """Add a message to the context; one that is stored only for that is withheld in the end."""
        cursor, at, event = message.cursor, message.at, message.event
        heard = Overheard(cursor, at, stored_files(event.message)) if stored_for_that else None
        if not await self._reception.add_context(key, event, at, heard) and stored_for_that:
            reading.withhold(cursor, NO_MENTION, event)

    async def _reprocess(self, key: str, reading: Reading, message: UndecidedMessage) -> None:
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
