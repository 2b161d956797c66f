"""Has agents answer messages; the echo agent is the embedded default.

An agent gets the messages that are addressed to an account and returns the text of its answer,
which leaves through the ordinary outbound path. The key of an answer follows from the message's
cursor, so a message that comes twice is not answered twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
import structlog

from ipc.errors import IpcError
from ipc.frames.data import ADDRESSED, INBOUND
from ipc.nesting import require_shallow
from runtime.gateway.access_policy.admit import AdmissionOutcome
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agent_entries import AgentEntries, entries_in
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.outgoing import OutgoingRow
from workers.messages import Inbound, Outbound

MAX_RUNNING = 1000  # answers on their way; more are dropped and counted
SEND_SECONDS = 30.0
MEANT = INBOUND | ADDRESSED
REASONS = ("busy", "error", "expired", "malformed", "send", "unknown")

CallAccount = Callable[[str, str, bytes, float], Awaitable[bytes]]

log = structlog.get_logger("gateway.agents")


class EmbeddedAgent(Protocol):
    """Answers what people say to an account."""

    name: str

    async def reply(self, account: str, message: Inbound) -> str | None:
        """Return the text of the answer, or ``None`` for none."""


class EchoAgent:
    """Answers each message with its own text."""

    name = "echo"

    async def reply(self, account: str, message: Inbound) -> str | None:
        """Return the same text, marked as an echo."""
        return f"echo: {message.text}" if message.text else None


AGENTS: dict[str, EmbeddedAgent] = {"echo": EchoAgent()}


class Received(msgspec.Struct):
    """A message that came for an account; ``cursor`` names it."""

    cursor: str
    message: Inbound


class Agents:
    """The agents of all accounts. ``config`` is what ``agent_entries`` reads.

    ``answered`` counts the answers that were sent, ``failed`` by reason those that were not.
    ``call`` calls an account, as ``AccountCalls.call``; ``gatekeeper`` decides who is answered.
    """

    def __init__(
        self, config: dict[str, Any], jobs: Jobs, call: CallAccount, gatekeeper: Gatekeeper
    ) -> None:
        self._jobs = jobs
        self._call = call
        self._gatekeeper = gatekeeper
        self._running = 0
        self._decode = msgspec.json.Decoder(Received).decode
        self.listed = AgentEntries()
        self.answered = 0
        self.failed: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.configure(config)

    def configure(self, config: dict[str, Any]) -> None:
        """Apply a new configuration."""
        self.listed = entries_in(config)

    def on_message(self, key: str, flags: int, payload: bytes) -> None:
        """Begin to answer a message, if its sender is admitted to the account."""
        if not self.may_answer(key, flags):
            return
        agent = self.agent_of(key)
        if agent is None:
            return
        if self._running >= MAX_RUNNING:
            self.failed["busy"] += 1
            return
        self._running += 1
        self._jobs.start(self._answer(agent, key, payload))

    def agent_of(self, key: str) -> EmbeddedAgent | None:
        """Return the agent that answers for an account."""
        kind = self.listed.kind_of(self.listed.agent_of(key))
        return None if kind is None else AGENTS.get(kind)

    def may_answer(self, key: str, flags: int) -> bool:
        """Return whether a message with these flags may be one to answer."""
        if flags & MEANT == MEANT:
            return True
        return bool(flags & INBOUND) and self._gatekeeper.policy_of(key).hears_unaddressed

    def read(self, key: str, payload: bytes) -> Received | None:
        """Return a message; ``None``, and it is counted, for a malformed one."""
        try:
            require_shallow(payload)
            return self._decode(payload)
        except msgspec.DecodeError as error:
            self.fails("malformed", key, error)
            return None

    async def answer_to(self, agent: EmbeddedAgent, key: str, event: Received) -> Outbound | None:
        """Return an agent's answer to a message, ``None`` for none; its faults are counted."""
        try:
            text = await agent.reply(key, event.message)
        except Exception as error:  # noqa: BLE001 - an agent's fault is its own
            self.fails("error", key, error)
            return None
        if text is None:
            return None
        return Outbound(
            to=event.message.chat.id,
            text=text,
            key=f"{agent.name}:{event.cursor}",
            thread=event.message.thread,
        )

    async def _answer(self, agent: EmbeddedAgent, key: str, payload: bytes) -> None:
        try:
            event = self.read(key, payload)
            if event is None:
                return
            ruling = self._gatekeeper.decide(key, event.message)
            answer = ruling.invitation
            if ruling.decision.outcome is AdmissionOutcome.RUN:
                answer = await self.answer_to(agent, key, event)
            if answer is not None:
                await self._call(key, "send", msgspec.json.encode(answer), SEND_SECONDS)
                self.answered += 1
        except IpcError as error:
            self.fails("send", key, error)
        except Exception as error:  # noqa: BLE001 - one answer must not end the gateway
            self.fails("error", key, error)
        finally:
            self._running -= 1

    def on_answer(self, key: str, row: OutgoingRow) -> None:
        """Count an answer of a journaled account that is over."""
        if row.state == "sent":
            self.answered += 1
        else:
            reason = "send" if row.state == "failed" else row.state
            self.fails(reason, key, row.error)

    def fails(self, reason: str, key: str, error: Exception | str) -> None:
        """Count an answer that is not sent, under a reason, and log why."""
        self.failed[reason] += 1
        log.warning("no answer", account=key, reason=reason, error=str(error))
