"""Begins and ends the runs of clients: methods, HTTP endpoints and jobs use it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from ipc import timeouts
from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, agent_key
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.conversations.run_answers import digest_of
from runtime.gateway.conversations.session_keys import BadSessionKey, agent_of, named_key
from runtime.gateway.journal.conversations import (
    EntriesAdded,
    Session,
    SessionChanged,
    SessionFilter,
    TranscriptEntry,
)
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.records import Outcome, Record
from runtime.gateway.journal.runs import Recorded, ReplyTarget, Run, RunOrigin, RunRequest
from runtime.gateway.journal.waiting import store_record, unstored
from runtime.gateway.runs.broadcast import RunBroadcast
from runtime.gateway.runs.replies import UNASKED
from runtime.gateway.runs.runs import Runs, Watcher
from runtime.gateway.runs.sessions import OpenConversation, SessionCache

OPEN_SECONDS = 10.0  # in which a gateway that has just begun opens its journal
ABORT_SECONDS = 2.0  # until the end of an aborted run is stored, and its events are sent
NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # of names like OIDs, RFC 9562
CONFLICT = (
    "This message ID was already used for different input. Check the conversation history and "
    "use a new message ID to send again."
)


class AskedRun:
    """A run that answers a request.

    ``run`` is as it was when it was asked for. ``known``: its id was known, and it may be over.
    """

    def __init__(self, asking: RunAsking, run: Run, known: bool) -> None:
        self.run = run
        self.known = known
        self._asking = asking

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call ``watcher`` with each later update of the run; return a function that ends that."""
        return self._asking.runs.watch(watcher, self.run.id)

    def ending(self) -> asyncio.Future[Run] | None:
        """Return a future of the run as it is at its end; ``None`` if it has ended already.

        The future is cancelled when the gateway ends before: the run is the next one's.
        """
        return self._asking.runs.ending(self.run.id)

    async def wait(self) -> Run:
        """Wait until the run has ended; return it as it is then."""
        ending = self.ending()
        if ending is not None:
            return await ending
        journal = await self._asking.journal()
        return await journal.run_of(self.run.id) or self.run

    def abort(self, reason: str = "rpc") -> bool:
        """Abort the run; return whether it was open. The reason is in its last event."""
        return self._asking.abort_run(self.run.id, reason)


class RunAsking:
    """Begins the runs of clients, and ends them.

    ``runs`` are all that are open. Session keys and journal are as clients mean and need them:
    what cannot be is a ``RemoteError`` for the client.
    """

    def __init__(
        self,
        agents: Agents,
        intake: Intake,
        runs: Runs,
        sessions: SessionCache,
        broadcast: RunBroadcast,
        flush_soon: Callable[[], None],
    ) -> None:
        self.runs = runs
        self._agents = agents
        self._intake = intake
        self._sessions = sessions
        self._broadcast = broadcast
        self._flush_soon = flush_soon
        self._adding: set[tuple[str, str, str]] = set()  # entries that are being stored

    async def journal(self) -> Journal:
        """Return the open journal; raises ``RemoteError`` if no run can begin."""
        self._intake.open()
        await self._intake.wait_until_open(OPEN_SECONDS)
        journal = self._intake.journal
        if journal is not None and journal.fault is not None:
            raise RemoteError(UNAVAILABLE, unstored(journal.fault), retryable=True)
        if (
            journal is None
            or not journal.ready
            or not await self.runs.wait_until_whole(OPEN_SECONDS)
        ):
            raise RemoteError(UNAVAILABLE, "the gateway is starting", retryable=True)
        return journal

    def key_in(self, given: str, agent: str | None = None) -> str:
        """Return the full session key for a key from a client, as ``Agents.session_key`` does.

        Raises ``RemoteError``.
        """
        try:
            return self._agents.session_key(given, agent)
        except BadSessionKey as error:
            raise RemoteError(INVALID_REQUEST, str(error)) from None

    def answered_key(self, given: str, agent: str | None = None) -> str:
        """Return the full session key for a key from a client, whose agent exists."""
        key = self.key_in(given, agent)
        if agent_of(key) not in self._agents.listed.entries:
            text = f'Agent "{agent_of(key)}" no longer exists in configuration'
            raise RemoteError(INVALID_REQUEST, text)
        return key

    async def session_with_id(self, id: str, agent: str) -> str:
        """Return the key of the session with an id, or for an unknown id the key made of it."""
        found, _ = await (await self.journal()).sessions(SessionFilter(id=id), 1)
        return found[0].key if found else self.answered_key(named_key(agent, "explicit", id))

    async def ask(self, run: Run, watcher: Watcher | None = None) -> AskedRun:
        """Begin a run unless its id is known; return it once it is stored.

        ``watcher`` is called with all that happens to it; of a run that is known and open, with
        what happens from now on. Raises ``RemoteError`` where the id is that of another request.
        """
        known = await self.find_run(run)
        if known is None:
            await self._reset_if_due(run)
            key = agent_key(run.agent) if run.reply is None else run.reply.account
            found, was_known = await self.runs.begin(key, run, watcher)
            if not was_known:
                return AskedRun(self, found, False)
            known = _require_same(found, run)
        if watcher is not None:
            self.runs.watch(watcher, run.id)
        return AskedRun(self, known, True)

    async def find_run(self, run: Run) -> Run | None:
        """Return the known run with the id of ``run``; raises ``RemoteError`` if they differ."""
        live = self.runs.live(run.id)
        known = live.run if live is not None else await (await self.journal()).run_of(run.id)
        return None if known is None else _require_same(known, run)

    async def _reset_if_due(self, run: Run) -> None:
        """Reset a conversation that has been idle for as long as is configured."""
        if run.origin.client in UNASKED or not self._sessions.resets:
            return
        now = now_ms()
        conversation = await self.conversation(run.session)
        if not self._sessions.is_reset_due(conversation, now):
            return
        if not self.runs.of_session(run.session):
            self._sessions.reset_conversation(conversation, now)
            await self.store_session(conversation.session)

    def abort_run(self, run: str, reason: str) -> bool:
        """Abort a run; return whether it was open."""
        return self.runs.abort(run, reason)

    async def abort(self, key: str, run: str | None, reason: str = "rpc") -> list[str]:
        """Abort one run of a session, or all; return their ids once the ends are stored."""
        found = [each.run.id for each in self.runs.of_session(key) if run in (None, each.run.id)]
        ends = [end for each in found if (end := self.runs.ending(each)) is not None]
        aborted = [each for each in found if self.abort_run(each, reason)]
        try:
            async with timeouts.timeout(ABORT_SECONDS):
                await asyncio.gather(*ends)
        except TimeoutError:
            pass  # the journal has a fault: the events follow
        return aborted

    async def conversation(self, key: str) -> OpenConversation:
        """Return the conversation of a session; a new one if the session does not exist."""
        return await self._sessions.open(key, agent_of(key), now_ms())

    async def reset(self, key: str, reason: str = "reset") -> Session:
        """Abort the runs of a session and reset it; return the new session."""
        self.runs.abort_session(key, reason)
        conversation = await self.conversation(key)
        self._sessions.reset_conversation(conversation, now_ms())
        session = conversation.session
        await self.store_session(session)
        return session

    async def add_entry(self, key: str, entry: TranscriptEntry) -> int:
        """Store an entry of a transcript; return its number."""
        conversation = await self.conversation(key)
        session = changed(conversation.session, messages=conversation.session.messages + 1)
        conversation.session = session
        outcome = await self.store(EntriesAdded(agent_key(session.agent), key, [entry], session))
        number = outcome.first if isinstance(outcome, Recorded) else 0
        added = [replace(entry, number=number)]
        conversation.extend(added)
        self._broadcast.sessions.publish_entries(session, added)
        return number

    async def add_once(self, key: str, entry: TranscriptEntry) -> None:
        """Store an entry of a transcript unless one of the newest has the same run and model."""
        await self.journal()
        mark, conversation = (key, entry.run, entry.model), await self.conversation(key)
        there = [(key, each.run, each.model) for each in conversation.entries]
        if mark in there or mark in self._adding:
            return
        self._adding.add(mark)
        try:
            await self.add_entry(key, entry)
        finally:
            self._adding.discard(mark)

    async def store_session(self, session: Session) -> None:
        """Store the state of a session; return once it is stored."""
        await self.store(SessionChanged(agent_key(session.agent), session))

    async def store(self, record: Record) -> Outcome:
        """Store a record; return its outcome."""
        return await store_record(await self.journal(), record, self._flush_soon)


def run_id(place: str, key: str | None) -> str:
    """Return a new id of a run, or for an idempotency key the one of its ``place``."""
    return str(uuid.uuid4() if key is None else uuid.uuid5(NAMESPACE, f"{place}\n{key}"))


def made_run(
    id: str,
    session: str,
    request: RunRequest,
    *,
    client: str,
    reply: ReplyTarget | None = None,
    mode: str = "followup",
    timeout_ms: int | None = None,
    trace: str = "",
    digest: str = "",
) -> Run:
    """Return a new run for a request of a client; without ``timeout_ms`` the agent's limit counts.

    ``trace`` is the trace context of the client's request, ``digest`` that of its content where
    that is more than the text and the files.
    """
    now = now_ms()
    return Run(
        id=id,
        session=session,
        agent=agent_of(session),
        origin=RunOrigin(client=client),
        reply=reply,
        digest=digest or digest_of(session, request.text, request.attachments),
        mode=mode,
        at=now,
        deadline=now + timeout_ms if timeout_ms else 0,
        trace=trace,
        request=request,
    )


def changed(session: Session, **fields: Any) -> Session:
    """Return a copy of a session with some fields changed and the time of the change."""
    return replace(session, updated=now_ms(), **fields)


def _require_same(known: Run, run: Run) -> Run:
    """Return ``known``; raises ``RemoteError`` if ``run`` has its id and another request."""
    if known.digest != run.digest:
        details = {"reason": "chat-request-conflict"}
        raise RemoteError(INVALID_REQUEST, CONFLICT, details=details)
    return known
