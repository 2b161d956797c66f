"""Sends the events of sessions to the clients that subscribe to them.

The events are ``sessions.changed``, ``session.message`` and ``session.operation``. Without
subscribers nothing is made.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.access.scopes import READ
from runtime.gateway.conversations.history_views import history_row
from runtime.gateway.conversations.session_rows import session_row
from runtime.gateway.hub import Hub
from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.runs.live import RunUpdate
from runtime.gateway.runs.replies import is_aside
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.sessions import SessionCache

CHANGED, MESSAGE = "sessions.changed", "session.message"
OPERATION = "session.operation"


class SessionBroadcast:
    """The clients that follow all sessions, and those that follow the messages of some."""

    def __init__(self, hub: Hub, sessions: SessionCache, runs: Runs) -> None:
        self._hub = hub
        self._sessions = sessions
        self._runs = runs
        self._all: set[ClientView] = set()
        self._some: dict[ClientView, set[str]] = {}
        runs.watch(self.on_update)

    def subscribe(self, client: ClientView) -> None:
        """Subscribe ``client`` to the events of all sessions."""
        self._all.add(client)

    def follow(self, client: ClientView, key: str) -> None:
        """Subscribe ``client`` to the messages of one session."""
        self._some.setdefault(client, set()).add(key)

    def unfollow(self, client: ClientView, key: str) -> None:
        """End the subscription of ``client`` to the messages of one session."""
        self._some.get(client, set()).discard(key)

    def forget(self, client: ClientView) -> None:
        """Remove a client whose connection has ended."""
        self._all.discard(client)
        self._some.pop(client, None)

    def publish_change(self, session: Session, **what: Any) -> None:
        """Send ``sessions.changed``; ``what`` is a ``reason``, or a ``phase`` of a run."""
        if self._all:
            payload = self._payload_of(session, what | {"ts": now_ms()})
            self._hub.broadcast(CHANGED, payload, scope=READ, wanted=self._all.__contains__)

    @contextlib.contextmanager
    def operation(self, session: Session, name: str) -> Iterator[None]:
        """Send ``session.operation`` at the start and the end of a block, with its outcome."""
        event = {"operationId": str(uuid.uuid4()), "operation": name}
        self._publish_operation(session, event | {"phase": "start"})
        event["phase"] = "end"
        try:
            yield
        except BaseException as error:
            reason = error.message if isinstance(error, RemoteError) else str(error)
            self._publish_operation(session, event | {"completed": False, "reason": reason})
            raise
        self._publish_operation(session, event | {"completed": True})

    def publish_entries(self, session: Session, entries: list[TranscriptEntry]) -> None:
        """Send ``session.message`` for new entries of a session's transcript."""
        if not (self._all or self._some):
            return
        first = session.messages - len(entries) + 1
        for seq, entry in enumerate(entries, first):
            message = {"message": history_row(entry, seq), "messageId": str(entry.number)}
            payload = self._payload_of(session, message | {"messageSeq": seq})
            self._hub.broadcast(
                MESSAGE, payload, scope=READ, wanted=lambda each: self._follows(each, session.key)
            )

    def on_update(self, update: RunUpdate) -> None:
        """Send the events for an update of a run in its session."""
        if update.step == "event" or not (self._all or self._some) or is_aside(update.run):
            return
        run = update.run
        known = self._sessions.find(run.session)
        session = Session(run.session, run.agent) if known is None else known.session
        if update.step == "queued":
            self.publish_change(session, reason="send", runId=run.id)
        elif update.step == "started":
            self.publish_change(session, phase="start", runId=run.id)
        else:
            failed = run.state in ("error", "timeout", "expired")
            self.publish_change(session, phase="error" if failed else "end", runId=run.id)
            entries = [] if known is None else [e for e in known.entries if e.run == run.id]
            self.publish_entries(session, entries)

    def _publish_operation(self, session: Session, what: dict[str, Any]) -> None:
        if self._all:
            place = {"sessionKey": session.key, "agentId": session.agent, "ts": now_ms()}
            self._hub.broadcast(OPERATION, what | place, scope=READ, wanted=self._all.__contains__)

    def _follows(self, client: ClientView, key: str) -> bool:
        return client in self._all or key in self._some.get(client, ())

    def _payload_of(self, session: Session, what: dict[str, Any]) -> dict[str, Any]:
        """Return the payload of an event: the session's row, and its fields once more at the top.

        OpenClaw's terminal reads ``sessionId`` and ``updatedAt`` from the payload itself.
        """
        row = session_row(session, [each.run for each in self._runs.of_session(session.key)])
        payload = row | {"sessionKey": session.key, "agentId": session.agent} | what
        del payload["key"]
        return payload | {"session": row}
