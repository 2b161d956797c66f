"""Decides what becomes of a message that may be answered: a command, a run, or context.

The answer of a command comes from the gateway itself; everything else is an agent's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ipc.epoch import now_ms
from runtime.config.sessions import (
    BindingConfig,
    CommandsConfig,
    QueueConfig,
    SessionConfig,
    queue_of,
)
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.agents import Agents, Received
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.conversations.chat_commands import (
    ChatCommand,
    ChatFacts,
    CommandAnswer,
    answer,
    read_command,
)
from runtime.gateway.conversations.origins import Origin, origin_of
from runtime.gateway.conversations.routing import Fallback, Route, explain, route
from runtime.gateway.conversations.session_keys import SessionKeys
from runtime.gateway.journal.conversations import SessionChanged, TranscriptEntry
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import ReplyTarget, Run, RunOrigin, RunRequest
from runtime.gateway.runs.lifecycle import RunPhase
from runtime.gateway.runs.overheard import FramePosition, Overheard, OverheardFrames
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.sessions import OpenConversation, SessionCache
from workers.agent import HistoryItem
from workers.messages import Inbound, Outbound
from workers.web.trace_context import kept

QUEUE, CHOSEN = "queue", "agent"  # settings of a session
LATE_MS = 3_000  # a message that was taken so much later than it was written waited for us
OLDEST_MS = 7 * 86_400_000  # what was written before that was written by a clock that is wrong


class Taken(NamedTuple):
    """What came of a message: an answer of the gateway, a run, both, or neither.

    Then ``nobody`` is where it is configured that no agent answers.
    """

    answer: Outbound | None = None
    run: Run | None = None
    nobody: str = ""


class ConversationsConfig(msgspec.Struct, frozen=True):
    """What of the configuration concerns conversations."""

    session: SessionConfig = SessionConfig()
    bindings: list[BindingConfig] = []
    queue: QueueConfig = QueueConfig()
    commands: CommandsConfig = CommandsConfig()


class _Belonging(NamedTuple):
    """The session and the agent of a message, and why."""

    origin: Origin
    route: Route
    agent: str
    key: str
    conversation: OpenConversation


class Reception:
    """Receives messages that were admitted.

    ``journal()`` is the open journal, ``version`` that of the gateway.
    """

    def __init__(
        self,
        agents: Agents,
        gatekeeper: Gatekeeper,
        sessions: SessionCache,
        runs: Runs,
        journal: Callable[[], Journal | None],
        accounts: Accounts,
        version: str = "",
    ) -> None:
        self._agents = agents
        self._gatekeeper = gatekeeper
        self._sessions = sessions
        self._runs = runs
        self._journal = journal
        self._accounts = accounts
        self._version = version
        self._began, self._began_at = time.monotonic(), now_ms()
        self.configure(ConversationsConfig())

    def configure(self, config: ConversationsConfig) -> None:
        """Apply a new configuration: the next message is taken by it."""
        self._config = config
        self._keys = SessionKeys(config.session)
        self._sessions.reset = config.session.reset

    def is_answered(self, key: str) -> bool:
        """Return whether an agent answers any messages of an account."""
        if self._agents.agent_of(key) is not None:
            return True
        channel = key.partition(":")[0]
        return any(
            each.match.channel == channel and each.agent_id in self._agents.listed.entries
            for each in self._config.bindings
        )

    @property
    def has_owner(self) -> bool:
        """Whether anybody may use the commands of owners."""
        return bool(self._config.commands.owner_allow_from)

    @property
    def silent_groups(self) -> bool:
        """Whether agents may keep silent in groups."""
        return self._config.session.silent_reply.group == "allow"

    def queue_of(self, run: Run) -> QueueConfig:
        """Return how a run waits while its session is busy."""
        channel = run.origin.account.partition(":")[0]
        return self._queue(channel, self._sessions.find(run.session))

    def direct_key(self, agent: str, target: ReplyTarget) -> str:
        """Return the key of an agent's conversation in a direct chat."""
        channel, _, account = target.account.partition(":")
        origin = Origin(
            channel=channel,
            account=account,
            kind="direct",
            chat=target.to,
            peer=target.to,
            thread=target.thread,
        )
        return self._keys.key_of(agent, origin)

    async def receive(self, key: str, event: Received, at: int) -> Taken:
        """Return what becomes of a message of the account ``key``, which came at ``at``."""
        place = await self._place(key, event.message)
        if isinstance(place, Route):
            return Taken(nobody=place.source)
        message = event.message
        busy = bool(self._runs.of_session(place.key))
        command = read_command(message.text, busy=busy, names=message.named_as)
        if command is None:
            return Taken(run=self._run(key, event.cursor, message, place, at, message.text))
        done = answer(command, self._facts(place), place.origin, self._config.commands)
        self._apply_effect(key, done, place)
        run, files = None, done.effect == "reset" and message.attachments
        if done.message is not None or files:  # /new below a photo: that is asked about
            run = self._run(key, event.cursor, message, place, at, done.message or "")
        said = Outbound(
            to=message.chat.id,
            text=done.text,
            key=f"command:{key}/{event.cursor}",
            thread=message.thread,
        )
        return Taken(said, run)

    def answer_client(self, command: ChatCommand, conversation: OpenConversation) -> CommandAnswer:
        """Return what becomes of a command that a client has sent into a session, as its owner."""
        session = conversation.session
        origin = Origin(channel="client", account="", kind="direct", chat=session.key, peer="you")
        found = Route(session.agent, "session key", "the session key names it")
        place = _Belonging(origin, found, session.agent, session.key, conversation)
        return answer(command, self._facts(place), origin, CommandsConfig(owner_allow_from=["*"]))

    @property
    def overheard(self) -> OverheardFrames:
        """What the journal keeps because it may be context."""
        return self._sessions.overheard

    async def add_context(
        self, key: str, event: Received, at: int, heard: Overheard | None = None
    ) -> bool:
        """Add a message that is not meant for the account to the context of the next run.

        ``heard`` is what the journal keeps only for that. Return whether it is kept.
        """
        place = await self._place(key, event.message)
        message = event.message
        if isinstance(place, Route) or not message.text:
            return False
        who = message.sender
        entry = TranscriptEntry("user", message.text, at=at, sender=who.id, name=who.name or "")
        frame = None
        if heard is not None:
            self.overheard.add(key, heard)
            frame = FramePosition(key, heard.cursor)
        self.overheard.release(place.conversation.context.add(entry, frame))
        return True

    def explain_route(self, key: str, message: Inbound) -> tuple[Route, list[str]]:
        """Return which agent the configuration has for a message, and what each binding says."""
        origin = origin_of(key, message, self._gatekeeper.policy_of(key))
        lines = explain(self._config.bindings, origin, self._fallback(key, origin))
        return self._route(key, origin), lines

    async def _place(self, key: str, message: Inbound) -> _Belonging | Route:
        """Return where a message belongs, or the route by which no agent answers it."""
        origin = origin_of(key, message, self._gatekeeper.policy_of(key))
        found = self._route(key, origin)
        if not found.answered:
            return found
        conversation = await self._conversation(key, found.agent, origin)
        chosen = conversation.session.settings.get(CHOSEN)
        if chosen in self._agents.listed.entries:
            conversation = await self._conversation(key, chosen, origin)
            found = Route(chosen, "/agent", "an owner has chosen it in this chat")
        return _Belonging(origin, found, found.agent, conversation.session.key, conversation)

    def _route(self, key: str, origin: Origin) -> Route:
        """Return which agent the configuration has chosen, and why."""
        return route(self._config.bindings, origin, self._fallback(key, origin))

    def _fallback(self, key: str, origin: Origin) -> Fallback:
        listed = self._agents.listed
        own, line = listed.accounts.get(key), listed.lines.get(key)
        return Fallback(
            default_agent=listed.default,
            account_agent=own if line is not None or own != listed.default else None,
            account_line=line or f"channels.{origin.channel}.accounts.{origin.account}.agent",
            default_account=self._accounts.default_account(origin.channel),
        )

    async def _conversation(self, key: str, agent: str, origin: Origin) -> OpenConversation:
        """Return the conversation with an agent, begun anew where that is due."""
        now = now_ms()
        found = await self._sessions.open(self._keys.key_of(agent, origin), agent, now)
        self._reset_if_due(key, found, now)
        return found

    def _reset_if_due(self, key: str, conversation: OpenConversation, now: int) -> None:
        """Begin a conversation anew that has rested for as long as is configured."""
        if not self._sessions.is_reset_due(conversation, now):
            return
        if not self._runs.of_session(conversation.session.key):
            self._store(key, self._sessions.reset_conversation(conversation, now))

    def _run(
        self, key: str, cursor: str, message: Inbound, place: _Belonging, at: int, text: str
    ) -> Run:
        heard = [
            HistoryItem(each.role, each.text, each.at, each.name or each.sender or None)
            for each in place.conversation.context
        ]
        self.overheard.release(place.conversation.context.clear())
        now = now_ms()
        run = Run(
            id=f"{key}/{cursor}",
            session=place.key,
            agent=place.agent,
            origin=RunOrigin(key, message.chat.id, message.thread, message.id, message.sender.id),
            reply=ReplyTarget(key, message.chat.id, message.thread),
            at=at,
            decided=now,
            late=_is_late(message.ts, at, now, self._available_since(key)),
            trace=kept(message.trace),
            request=RunRequest(
                text,
                message.attachments,
                message.sender,
                message.chat,
                {"history": msgspec.to_builtins(heard)} if heard else {},
            ),
        )
        self._runs.expect(key, run)  # what comes next may be /stop
        return run

    def _available_since(self, key: str) -> int:
        """Return since when messages of an account are taken as they are written, epoch ms."""
        row = self._accounts.row(key)
        if row is None:
            return self._began_at
        connected = row.plugin.get("lastConnectedAt")
        times = (self._began_at, row.ready_at, connected if isinstance(connected, int) else 0)
        return max(each or 0 for each in times)

    def _facts(self, place: _Belonging) -> ChatFacts:
        session, runs = place.conversation.session, self._runs.of_session(place.key)
        running = [each for each in runs if each.life.phase is not RunPhase.QUEUED]
        usage = session.usage
        since = (now_ms() - running[0].run.started) / 1000 if running else 0.0
        return ChatFacts(
            session=place.key,
            agent=place.agent,
            route=place.route.reason,
            queue=self._queue(place.origin.channel, place.conversation),
            agents=list(self._agents.listed.entries),
            running=bool(running),
            running_seconds=since,
            waiting=len(runs) - len(running),
            messages=session.messages,
            tokens=(usage.get("input", 0), usage.get("output", 0)) if usage else None,
            version=self._version,
            uptime_seconds=time.monotonic() - self._began,
        )

    def _apply_effect(self, key: str, done: CommandAnswer, place: _Belonging) -> None:
        match done.effect:
            case "reset":
                self._runs.abort_session(place.key, "reset")
                self._store(key, self._sessions.reset_conversation(place.conversation, now_ms()))
            case "stop":
                self._runs.abort_session(place.key, "stop")
            case "queue":
                found = None if done.queue is None else msgspec.to_builtins(done.queue)
                self._set(key, place.conversation, QUEUE, found)
            case "agent":
                routed = self._route(key, place.origin).agent
                first = self._keys.key_of(routed, place.origin)
                conversation = self._sessions.find(first) or place.conversation
                self._set(key, conversation, CHOSEN, done.agent)

    def _set(self, key: str, conversation: OpenConversation, name: str, value: Any) -> None:
        settings = {
            each: kept for each, kept in conversation.session.settings.items() if each != name
        }
        if value is not None:
            settings[name] = value
        conversation.session = replace(conversation.session, settings=settings, updated=now_ms())
        self._store(key, conversation)

    def _store(self, key: str, conversation: OpenConversation) -> None:
        journal = self._journal()
        if journal is not None:
            journal.append(SessionChanged(key, conversation.session))

    def _queue(self, channel: str, conversation: OpenConversation | None) -> QueueConfig:
        own = None if conversation is None else conversation.session.settings.get(QUEUE)
        if own is not None:
            return msgspec.convert(own, QueueConfig)
        return queue_of(self._config.queue, channel)


def _is_late(written: int, stored: int, now: int, back: int) -> bool:
    """Return whether a message has waited for an account or a gateway that was away.

    ``back`` is when the one that was away last had come back.
    """
    since = min(written, stored) if written > now - OLDEST_MS else stored
    return since < back or now - since > LATE_MS
