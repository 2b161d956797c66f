"""Holds the dependencies of scheduled jobs and heartbeats, and stores what they begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from datetime import tzinfo
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.words import AGENT
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.conversations.origins import chat_in
from runtime.gateway.conversations.session_keys import BadSessionKey, agent_of
from runtime.gateway.cron.job_types import ScheduledJob
from runtime.gateway.cron.jobs import named_session
from runtime.gateway.cron.schedule import iso
from runtime.gateway.host_zone import host_zone
from runtime.gateway.hub import Hub
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.conversations import TranscriptEntry
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.items import ItemsChanged, KeptItem
from runtime.gateway.journal.records import Outcome
from runtime.gateway.journal.runs import Recorded, ReplyTarget, Run, RunOrigin, RunRequest
from runtime.gateway.journal.waiting import append_record, wait_stored
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.sessions import SessionCache

LAST = "last"  # instead of a channel: the chat in which the main session was used last

T = TypeVar("T")


class NoRoute(Exception):
    """There is no chat for an answer."""


class TimerLinks(msgspec.Struct, frozen=True):
    """The dependencies of timers. ``now`` is the host's clock, ``zone`` its time zone."""

    journal: Callable[[], Journal | None]
    open_journal: Callable[[], None]
    flush_soon: Callable[[], None]
    agents: Agents
    accounts: Accounts
    runs: Runs
    sessions: SessionCache
    outbox: Outbox
    hub: Hub
    jobs: Jobs
    now: Callable[[], int] = now_ms
    zone: Callable[[], tzinfo] = host_zone

    def agent_of(self, job: ScheduledJob) -> str:
        """Return the id of the agent of a job: the named one, that of its session, or the default.

        A session of an impossible key is one of the default agent; its runs end with an error.
        """
        session = named_session(job)
        if session is None or job.agent_id is not UNSET:
            return self.agents.named(job.agent_id)
        try:
            return agent_of(self.agents.session_key(session))
        except BadSessionKey:
            return self.agents.default_id

    def session_of(self, job: ScheduledJob) -> str | None:
        """Return the key of the session that a job names, if any; raises ``BadSessionKey``."""
        session, agent = named_session(job), job.agent_id
        if session is None:
            return None
        return self.agents.session_key(session, None if agent is UNSET else agent)

    async def perform(self, step: Coroutine[Any, Any, T]) -> T:
        """Carry out a step that a client has asked for; return its result.

        Raises ``RemoteError`` while nothing can be stored. The step is completed all the same, once
        that is over: else a part of it would be stored and the other part lost.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.jobs.start(_complete(step, done))
        journal = self.journal()
        assert journal is not None
        return await wait_stored(journal, done)

    async def store(
        self,
        key: str,
        items: list[KeptItem],
        *,
        removed: Collection[tuple[str, str]] = (),
        run: Run | None = None,
    ) -> Outcome:
        """Store documents together with the beginning of a run; return once they are stored."""
        runs = [] if run is None else [run]
        outcome = await self._append(ItemsChanged(key, items, list(removed), runs))
        self.runs.add(key, runs, outcome)
        return outcome

    async def store_notice(
        self,
        session: str,
        agent: str,
        text: str,
        items: Collection[KeptItem] = (),
        removed: Collection[tuple[str, str]] = (),
    ) -> None:
        """Store a notice for the next turn of a session, together with documents."""
        now = self.now()
        conversation = await self.sessions.open(session, agent, now)
        entry = TranscriptEntry("notice", stamped(text, now), at=now)
        before = conversation.session
        after = replace(
            before, created=before.created or now, updated=now, messages=before.messages + 1
        )
        conversation.session = after
        record = ItemsChanged(f"{AGENT}:{agent}", [*items], [*removed], [], session, [entry], after)
        outcome = await self._append(record)
        first = outcome.first if isinstance(outcome, Recorded) else 0
        conversation.extend([replace(entry, number=first)])

    async def target(
        self,
        agent: str,
        session: str,
        channel: str | None,
        to: str | None,
        account: str | None = None,
        thread: str | None = None,
    ) -> ReplyTarget:
        """Return the chat in which an answer is said; raises ``NoRoute``."""
        if is_last(channel, to):
            said = (await self.sessions.open(session, agent, self.now())).session
            if not said.account or not said.to or said.account not in self.accounts.rows:
                raise NoRoute(f"last: nobody has written to {session} in a chat yet")
            return ReplyTarget(said.account, said.to, said.thread)
        return self.named_target(channel, to, account, thread)

    def named_target(
        self, channel: str | None, to: str | None, account: str | None, thread: str | None = None
    ) -> ReplyTarget:
        """Return the chat that a delivery names; raises ``NoRoute`` if there is none."""
        if is_last(channel, to):
            raise NoRoute("accountId needs channel and to: last is a chat already")
        accounts = self.accounts
        try:
            name = channel if channel not in (None, LAST) else accounts.only_channel()
            if name not in accounts.channels:
                raise accounts.unknown_channel(f"unknown channel: {name[:128]}", name)
            if not to:
                text = f"Delivering to {accounts.channels[name].label} requires target <chatId>"
                raise NoRoute(text)
            resolved = accounts.resolve("delivery", name, account)
            return ReplyTarget(resolved, chat_in(name, to), thread)
        except RemoteError as error:
            raise NoRoute(error.message) from None

    async def _append(self, record: ItemsChanged) -> Outcome:
        journal = self.journal()
        assert journal is not None
        return await append_record(journal, record, self.flush_soon)


async def _complete(step: Coroutine[Any, Any, T], done: asyncio.Future[T]) -> None:
    """Await a step, and set its outcome."""
    try:
        result = await step
    except Exception as error:  # noqa: BLE001 - the client's that waits for it
        if not done.done():
            done.set_exception(error)
    else:
        if not done.done():
            done.set_result(result)


def is_last(channel: str | None, to: str | None) -> bool:
    """Return whether a delivery is one to the chat in which the main session was used last."""
    return channel in (None, LAST) and to is None


def own_run(
    id: str,
    session: str,
    agent: str,
    request: RunRequest,
    *,
    client: str,
    now: int,
    reply: ReplyTarget | None = None,
    seconds: float = 0,
    digest: str = "",
    trace: str = "",
) -> Run:
    """Return a run without a message of a person; ``seconds``: its time limit."""
    return Run(
        id=id,
        session=session,
        agent=agent,
        origin=RunOrigin(client=client),
        reply=reply,
        digest=digest,
        mode="followup",
        at=now,
        deadline=now + round(seconds * 1000) if seconds else 0,
        trace=trace,
        request=request,
    )


def key_of(run: Run) -> str:
    """Return the journal key of a run."""
    return f"{AGENT}:{run.agent}" if run.reply is None else run.reply.account


def stamped(text: str, now: int) -> str:
    """Return an event's text with its time, for agents."""
    return f"System: [{iso(now)}] {text}"


def with_fields(text: str, **fields: Any) -> RunRequest:
    """Return a request with the set fields added to its turn."""
    return RunRequest(text, fields={name: each for name, each in fields.items() if each})
