"""Keeps the agents, which one answers for an account, and the counts of answers.

Agents run in processes of their own: none of their code is here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, get_args

import msgspec
import structlog

from ipc.frames.data import ADDRESSED, INBOUND
from ipc.frames.words import Phase, agent_key
from ipc.nesting import require_shallow
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agent_entries import entries_in
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.conversations.session_keys import MAIN, BadSessionKey, agent_of, client_key
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.runs.lifecycle import Repeat
from workers.messages import Inbound

MEANT = INBOUND | ADDRESSED
REPEATS: dict[str, Repeat] = {repeat: repeat for repeat in get_args(Repeat)}
DEFAULT_TIMEOUT_MS = 600_000
NO_NAMES: Mapping[str, str] = {}
REASONS = ("busy", "error", "expired", "malformed", "send", "timeout", "unknown")

log = structlog.get_logger("gateway.agents")


class Received(msgspec.Struct):
    """A message that came for an account; ``cursor`` names it."""

    cursor: str
    message: Inbound


_decode = msgspec.json.Decoder(Received).decode


class Agents:
    """The agents of all accounts. ``config`` is what ``agent_entries`` reads.

    ``answered`` counts the answers that were sent, ``failed`` by reason those that were not.
    ``gatekeeper`` knows which messages may be meant, ``accounts`` holds the rows of agents.
    """

    def __init__(self, config: dict[str, Any], accounts: Accounts, gatekeeper: Gatekeeper) -> None:
        self._accounts = accounts
        self._gatekeeper = gatekeeper
        self.answered = 0
        self.failed: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.configure(config)

    def configure(self, config: dict[str, Any]) -> None:
        """Apply a new configuration."""
        self.listed = entries_in(config)

    def agent_of(self, key: str) -> str | None:
        """Return the id of the agent that answers for an account."""
        return self.listed.agent_of(key)

    @property
    def default_id(self) -> str:
        """The id of the agent that is meant where a client names none."""
        return self.listed.agent_of("") or next(iter(self.listed.entries), MAIN)

    def named(self, given: object) -> str:
        """Return the id of the agent that a client has named, or of the default one.

        Clients of OpenClaw call the default agent ``main`` whatever its id; one of that id wins.
        """
        if not isinstance(given, str) or not given:
            return self.default_id
        return self.default_id if given == MAIN and MAIN not in self.listed.entries else given

    def filtered(self, given: str | None) -> str | None:
        """Return the id of the agent that a filter names; ``None`` if it names none."""
        return self.named(given) if given else None

    @property
    def names(self) -> frozenset[str]:
        """The names by which clients can mean an agent that there is."""
        entries = self.listed.entries
        return frozenset(entries) | ({MAIN} if self.named(MAIN) in entries else set())

    def session_key(self, given: str, agent: str | None = None) -> str:
        """Return the full session key for a key from a client; raises ``BadSessionKey``.

        A bare key is one of ``agent``, without that of the default agent. A whole key names its
        agent itself, and is refused where ``agent`` is another one.
        """
        wanted = self.named(agent)
        key = client_key(given, wanted, main=self.named(MAIN))
        if agent and agent_of(key) != wanted:
            text = f'The agent-scoped session key belongs to "{agent_of(key)}", not "{wanted}".'
            raise BadSessionKey(text)
        return key

    def may_answer(self, key: str, flags: int) -> bool:
        """Return whether an agent may have to answer a message with these flags."""
        if flags & MEANT == MEANT:
            return True
        return bool(flags & INBOUND) and self._gatekeeper.policy_of(key).hears_unaddressed

    def read(self, key: str, payload: bytes) -> Received | None:
        """Decode the payload of a message; count a malformed one and return ``None``."""
        try:
            require_shallow(payload)
            return _decode(payload)
        except msgspec.DecodeError as error:
            self.record_failure("malformed", key, error)
            return None

    def timeout_ms(self, agent: str) -> int:
        """Return the time limit of a turn of an agent in milliseconds."""
        entry = self.listed.entries.get(agent)
        return DEFAULT_TIMEOUT_MS if entry is None else round(entry.timeout_seconds * 1000)

    def repeat(self, agent: str) -> Repeat:
        """Return when a turn of an agent may be repeated: ``always``, ``unseen`` or ``never``."""
        entry = self.listed.entries.get(agent)
        return REPEATS.get("" if entry is None else entry.repeat, "unseen")

    def is_asked_once(self, agent: str) -> bool:
        """Return whether turns of an agent are never repeated."""
        return self.repeat(agent) == "never"

    def kind(self, agent: str) -> str:
        """Return the kind of an agent; an empty text for an unknown one."""
        return self.listed.kind_of(agent) or ""

    def ignored_fields(
        self, agent: str, fields: Collection[str], names: Mapping[str, str] = NO_NAMES
    ) -> list[str]:
        """Return which fields of a turn an agent takes no notice of, as ``names`` calls them."""
        entry = self.listed.entries.get(agent)
        lacks = () if entry is None else entry.lacks
        return [names.get(field, field) for field in fields if field in lacks]

    def is_attached(self, key: str) -> bool:
        """Return whether the agent with this key is a program that attaches as a client."""
        entry = self.listed.entries.get(key.partition(":")[2])
        return entry is not None and entry.attached

    def is_gone(self, agent: str) -> bool:
        """Return whether an agent will not start by itself: it is held, failed or unknown."""
        row = self._accounts.row(agent_key(agent))
        if row is None:
            entry = self.listed.entries.get(agent)
            return entry is None or not entry.process
        stays = not row.wanted or row.hold is not None
        return row.phase == Phase.FAILED or (row.phase == Phase.STOPPED and stays)

    def needs_login(self, agent: str) -> bool:
        """Return whether an agent waits for a person to log it in."""
        row = self._accounts.row(agent_key(agent))
        return row is not None and row.cause == "needs_login"

    def is_past(self, agent: str, incarnation: int) -> bool:
        """Return whether an incarnation of an agent has ended, as far as has been reported."""
        return self._accounts.is_past(agent_key(agent), incarnation)

    def on_answer(self, key: str, row: OutgoingRow) -> None:
        """Count the result of an answer whose delivery is over."""
        if row.state == "sent":
            self.answered += 1
        else:
            reason = "send" if row.state == "failed" else row.state
            self.record_failure(reason, key, row.error)

    def record_failure(self, reason: str, key: str, error: Exception | str) -> None:
        """Count an answer that is not sent by its reason, and log the error."""
        self.failed[reason] += 1
        log.warning("no answer", account=key, reason=reason, error=str(error))
