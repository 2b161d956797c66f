"""Begins turns of agents without a message: heartbeats, and events that wake them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import msgspec
import structlog

from ipc.frames.words import AGENT
from ipc.nesting import MALFORMED, decode_json
from runtime.config.timers import HeartbeatConfig
from runtime.gateway.access.scopes import READ
from runtime.gateway.conversations.heartbeat_rules import (
    PROMPT,
    is_active,
    next_beat,
    without_token,
)
from runtime.gateway.conversations.session_keys import agent_of, main_key
from runtime.gateway.cron.links import (
    LAST,
    NoRoute,
    TimerLinks,
    key_of,
    own_run,
    stamped,
    with_fields,
)
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.items import KeptItem
from runtime.gateway.journal.runs import ReplyTarget, Run

KIND = "heartbeat"  # of the journal's documents
SWITCH = "enabled"  # the document that says whether there are heartbeats; no agent is called so
CHECK_SECONDS = 60.0
PREVIEW = 200  # characters of an answer
WakeMode = Literal["now", "next-heartbeat"]
WakeOutcome = Literal["queued", "coalesced"]

log = structlog.get_logger("gateway.heartbeats")


class Woken(NamedTuple):
    """The outcome of an event: a turn of its own, or a notice for the next turn."""

    outcome: WakeOutcome
    run: str | None = None


class Heartbeats:
    """The heartbeats of all agents; ``last`` is the outcome of the newest, in OpenClaw's form.

    ``enabled`` is what ``set-heartbeats`` has set.
    """

    def __init__(self, links: TimerLinks) -> None:
        self.enabled = True
        self.last: dict[str, Any] | None = None
        self._links = links
        self._beats: dict[str, int] = {}  # when each agent had its last one
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._began = links.now()
        self._loaded = self._closed = False

    @property
    def is_any(self) -> bool:
        """Whether an agent is configured to have heartbeats."""
        listed = self._links.agents.listed.entries.values()
        return any(each.heartbeat is not None for each in listed)

    async def load(self, journal: Journal) -> None:
        """Load the times of the last heartbeats, and begin."""
        for each in await journal.items(KIND):
            try:
                value = decode_json(each.value)
                if each.id == SWITCH:
                    self.enabled = bool(value)
                else:
                    self._beats[each.id] = int(value)
            except (*MALFORMED, TypeError):
                log.warning("a heartbeat cannot be read", agent=each.id)
        self._began = self._links.now()
        self._loaded = True
        self.start_due()

    async def set_enabled(self, enabled: bool) -> None:
        """Switch heartbeats on or off, across restarts."""
        item = KeptItem(KIND, SWITCH, msgspec.json.encode(enabled))
        await self._links.store(f"{AGENT}:{self._links.agents.default_id}", [item])
        self.enabled = enabled
        self.start_due()

    async def wake(
        self,
        text: str,
        mode: WakeMode,
        session: str,
        *,
        items: Collection[KeptItem] = (),
        removed: Collection[tuple[str, str]] = (),
    ) -> Woken:
        """Send the agent of a session an event, at once or with the next turn of the session.

        ``items`` are stored in the same record.
        """
        agent = agent_of(session)
        waits = any(
            each.run.request.fields.get("heartbeat") and not each.run.started
            for each in self._links.runs.of_session(session)
        )
        if mode == "now" and self.enabled and not waits:
            now = self._links.now()
            prompt = self._config(agent).prompt or PROMPT
            run = await self._new_run(agent, session, f"{stamped(text, now)}\n\n{prompt}", now)
            await self._begin(run, items, removed)
            return Woken("queued", run.id)
        await self._links.store_notice(session, agent, text, items, removed)
        return Woken("coalesced" if waits and mode == "now" else "queued")

    def start_due(self) -> None:
        """Begin due heartbeats, and set the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed or not self._loaded:
            return
        now, zone = self._links.now(), self._links.zone()
        wakes = [now + round(CHECK_SECONDS * 1000)]
        beating = False
        for agent, entry in self._links.agents.listed.entries.items():
            if entry.heartbeat is None or not self.enabled:
                continue
            # A clock that was set back would let the agent wait for as long.
            last = min(self._beats.get(agent, self._began), now)
            at = next_beat(entry.heartbeat, last, now, zone)
            if at is None:
                continue
            beating = True
            if at <= now and is_active(entry.heartbeat, now, zone):
                self._beats[agent] = now
                self._links.jobs.start(self._start_beat(agent, now))
                at = next_beat(entry.heartbeat, now, now + 1, zone)
            wakes.append(at or wakes[0])
        if beating:
            seconds = max(min(wakes) - now, 1) / 1000
            self._timer = self._loop.call_later(seconds, self.start_due)

    def close(self) -> None:
        """Stop: begin no more heartbeats."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    async def _start_beat(self, agent: str, now: int) -> None:
        key, journal = main_key(agent), self._links.journal()
        if self._links.runs.of_session(key):
            return  # it is being asked already; the next one is after the usual time
        if journal is None or journal.fault is not None:
            return  # all that wait until something can be stored would then begin together
        try:
            run = await self._new_run(agent, key, self._config(agent).prompt or PROMPT, now)
            await self._begin(run, [KeptItem(KIND, agent, msgspec.json.encode(now))])
        except Exception:  # the next one may go better
            log.exception("a heartbeat did not begin", agent=agent)

    def _config(self, agent: str) -> HeartbeatConfig:
        entry = self._links.agents.listed.entries.get(agent)
        return (None if entry is None else entry.heartbeat) or HeartbeatConfig()

    async def _new_run(self, agent: str, session: str, text: str, now: int) -> Run:
        reply: ReplyTarget | None = None
        if self._config(agent).target == LAST:
            try:
                reply = await self._links.target(agent, session, LAST, None)
            except NoRoute:
                reply = None  # nobody has written yet
        request = with_fields(text, heartbeat=True)
        name = f"heartbeat:{agent}:{now}:{secrets.token_hex(4)}"
        return own_run(name, session, agent, request, client="heartbeat", now=now, reply=reply)

    async def _begin(
        self,
        run: Run,
        items: Collection[KeptItem],
        removed: Collection[tuple[str, str]] = (),
    ) -> None:
        await self._links.store(key_of(run), [*items], removed=removed, run=run)
        future = self._links.runs.ending(run.id)
        if future is not None:
            future.add_done_callback(self._on_run_ended)

    def _on_run_ended(self, done: asyncio.Future[Run]) -> None:
        if done.cancelled() or self._closed:
            return
        self.last = outcome_of(done.result())
        self._links.hub.broadcast("heartbeat", self.last, scope=READ)


def outcome_of(run: Run) -> dict[str, Any]:
    """Return the outcome of a heartbeat in the form of ``last-heartbeat``."""
    said = without_token(run.answer) if run.state == "final" else None
    event: dict[str, Any] = {"ts": run.ended, "agentId": run.agent, "sessionKey": run.session}
    event["durationMs"] = max(0, run.ended - run.at)
    if run.state != "final":
        return event | {"status": "failed", "indicatorType": "error", "reason": run.error}
    if said is None:
        status = "ok-token" if run.answer.strip() else "ok-empty"
        return event | {"status": status, "indicatorType": "ok"}
    event |= {"preview": said[:PREVIEW], "indicatorType": "alert", "hasMedia": False}
    if run.reply is None:
        return event | {"status": "skipped", "reason": "no-target"}
    channel, to = run.reply.account.partition(":")[0], run.reply.to
    return event | {"status": "sent", "channel": channel, "to": to}
