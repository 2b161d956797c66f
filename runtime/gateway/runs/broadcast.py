"""Sends the events of runs, ``agent`` and ``chat``, to the gateway's clients.

As in OpenClaw every operator who may read gets those of every session; a client may choose fewer
(``events.subscribe``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from ipc.epoch import now_ms
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.access.scopes import READ
from runtime.gateway.conversations.error_texts import UNKNOWN
from runtime.gateway.conversations.run_answers import COLLECTED, STOP_REASON, failure_of
from runtime.gateway.conversations.run_events import RunEvent, RunEvents
from runtime.gateway.hub import Hub
from runtime.gateway.journal.runs import Run
from runtime.gateway.runs.live import RunUpdate
from runtime.gateway.runs.replies import is_aside, is_heartbeat
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.session_broadcast import SessionBroadcast
from runtime.gateway.runs.sessions import SessionCache
from workers.agent import Delta, Notice, ToolCall, ToolResult, TurnEvent

TOOL_EVENTS = "tool-events"  # the capability of clients that get the stream ``tool``


class RunBroadcast:
    """The events of all runs that have not ended; ``sessions`` are those of their sessions."""

    def __init__(self, hub: Hub, sessions: SessionCache, runs: Runs) -> None:
        self._hub = hub
        self._session_id = sessions.id_of
        self._loop = asyncio.get_running_loop()
        self._events: dict[str, RunEvents] = {}
        self._numbers: dict[str, int] = {}  # of the last event of runs whose events rest
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._chosen: dict[ClientView, frozenset[str]] = {}
        runs.watch(self.on_update)
        self.sessions = SessionBroadcast(hub, sessions, runs)

    def choose(self, client: ClientView, sessions: Iterable[str] | None) -> None:
        """Limit the events for ``client`` to these sessions; ``None``: all sessions."""
        if sessions is None:
            self._chosen.pop(client, None)
        else:
            self._chosen[client] = frozenset(sessions)

    def forget(self, client: ClientView) -> None:
        """Remove a client whose connection has ended."""
        self._chosen.pop(client, None)
        self.sessions.forget(client)

    def send_message(self, run: str, session: str, agent: str, message: dict[str, Any]) -> None:
        """Send a message without a run of an agent, as the only event ``chat`` of ``run``."""
        payload = {"runId": run, "sessionKey": session, "agentId": agent, "seq": 0}
        event = RunEvent("chat", payload | {"state": "final", "message": message})
        self._send(session, [event])

    def on_update(self, update: RunUpdate) -> None:
        """Send the events for an update of a run."""
        run, now = update.run, now_ms()
        if update.step == "queued" or is_aside(run):
            return
        if not self._hub.has_clients:
            self._drop_events(run)
            return
        events = self._events.get(run.id)
        if events is None:
            events = self._events[run.id] = self._new_events(update)
        if update.step in ("ended", "merged"):
            self._stop_timer(run.id)
            del self._events[run.id]
            self._send(run.session, ended_events(events, run, now))
            return
        self._send(run.session, events.on_begin(run.started or now))
        if update.event is not None:
            self._send(run.session, events_of(events, update.event, now))
        self._schedule(run.id, run.session, events, now)

    def close(self) -> None:
        """Stop sending."""
        for run in list(self._timers):
            self._stop_timer(run)

    def _drop_events(self, run: Run) -> None:
        """Drop the event state of a run while no client follows it, as that holds all its text.

        A client that comes later is sent what there is by then, with numbers that go on.
        """
        self._stop_timer(run.id)
        if (events := self._events.pop(run.id, None)) is not None:
            self._numbers[run.id] = events.seq
        if not run.is_open:
            self._numbers.pop(run.id, None)

    def _new_events(self, update: RunUpdate) -> RunEvents:
        """Return the new event state of a run; what there was before this update was sent."""
        run, sent = update.run, update.partial.length
        if isinstance(update.event, Delta):
            sent -= len(update.event.text)
        return RunEvents(
            run.id,
            run.session,
            run.agent,
            partial=update.partial,
            sent=sent,
            session_id=self._session_id(run.session),
            seq=self._numbers.pop(run.id, 0),
            heartbeat=is_heartbeat(run.request),
        )

    def _schedule(self, run: str, session: str, events: RunEvents, now: int) -> None:
        """Send the waiting text if it is due; else set the timer."""
        due = events.next_due()
        if due is None:
            self._stop_timer(run)
        elif run not in self._timers:

            def on_timer() -> None:
                self._timers.pop(run, None)
                self._send(session, events.flush(now_ms()))

            self._timers[run] = self._loop.call_later(max(due - now, 1) / 1000, on_timer)

    def _stop_timer(self, run: str) -> None:
        timer = self._timers.pop(run, None)
        if timer is not None:
            timer.cancel()

    def _send(self, session: str, events: list[RunEvent]) -> None:
        for each in events:
            tools = each.tools_only

            def wanted(client: ClientView, tools: bool = tools) -> bool:
                chosen = self._chosen.get(client)
                if chosen is not None and session not in chosen:
                    return False
                return not tools or TOOL_EVENTS in client.connect.caps

            self._hub.broadcast(each.event, each.payload, scope=READ, wanted=wanted)


def events_of(events: RunEvents, event: TurnEvent, now: int) -> list[RunEvent]:
    """Return the events for an event of the agent."""
    match event:
        case Delta():
            return events.on_growth(now)
        case ToolCall():
            return events.on_tool_call(event.id, event.name, event.arguments, now)
        case ToolResult():
            return events.on_tool_result(event.id, event.output, now, failed=event.failed)
        case Notice():
            return events.on_notice(event.text, now)
    return []


def ended_events(events: RunEvents, run: Run, now: int) -> list[RunEvent]:
    """Return the last events of a run, according to its end state."""
    began = events.on_begin(run.started or now)
    match run.state:
        case "final":
            result = run.result
            stop = (result and result.stop_reason) or "stop"
            usage = None if result is None else result.usage
            return began + events.on_final(run.answer, now, stop_reason=stop, usage=usage)
        case "aborted":
            return began + events.on_abort(now, stop_reason=run.detail or STOP_REASON)
        case "merged":  # its words are in another run, which has the answer
            return began + events.on_final(None, now, stop_reason=COLLECTED)
    return began + events.on_failure(failure_of(run) or UNKNOWN, now)
