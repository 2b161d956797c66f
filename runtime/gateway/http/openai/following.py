"""Follows the run for an HTTP request until it ends or the client disconnects.

A client that closes its connection ends the run. One that does not read loses its connection, and
the run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from aiohttp import web

from ipc.errors import RemoteError
from runtime.gateway.http.api_refusals import (
    API,
    INVALID,
    NO_RETRY,
    HttpRefusal,
    busy,
    failure_of,
)
from runtime.gateway.http.lost_clients import when_lost
from runtime.gateway.http.openai.answers import ReplyReader, RunReply
from runtime.gateway.http.openai.streams import EventWriter
from runtime.gateway.journal.runs import Run
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import AskedRun
from runtime.gateway.runs.live import RunUpdate
from workers.agent import ToolResult

CALLS_ENTRIES = 200  # the newest of a session, among which are those of its last runs
CONFLICTING = {"reason": "chat-request-conflict"}
GONE = "disconnected"  # why such a run was aborted, for those who watch it


class AnswerWriter(Protocol):
    """Interface of the writer of one answer in the shape of its API."""

    reader: ReplyReader

    def begin(self) -> bytes:
        """Return the first events."""

    def text(self, text: str) -> bytes:
        """Return the event for a piece of text."""

    def end(self, reply: RunReply) -> Iterator[bytes]:
        """Yield the last events of a run that has an answer."""

    def fail(self, refusal: HttpRefusal) -> Iterator[bytes]:
        """Yield the last events of a run without an answer."""


class FollowedRun:
    """A run of an agent, and the request that it answers. ``begin`` it first.

    With ``stream`` the answer is sent as it grows. ``keyed``: the request has an idempotency key,
    so its client may ask again for the answer: the run goes on without it.
    """

    def __init__(
        self,
        parts: GatewayParts,
        request: web.BaseRequest,
        run: Run,
        writer: AnswerWriter,
        *,
        stream: bool = False,
        keyed: bool = False,
    ) -> None:
        self._parts = parts
        self._request = request
        self._run = run
        self._writer = writer
        self._keyed = keyed
        # From the beginning: text may come before ``begin`` has returned.
        self._events = EventWriter(request) if stream else None
        self._asked: AskedRun | None = None
        self._over = self._slow = False

    async def begin(self) -> None:
        """Begin the run, or find the one of an earlier request with the same key.

        Raises ``RemoteError``, and ``HttpRefusal`` if that was another request.
        """
        try:
            self._asked = await self._parts.asking.ask(self._run, self._on_update)
        except RemoteError as error:
            if error.details == CONFLICTING:
                raise HttpRefusal(409, error.message, INVALID, NO_RETRY) from None
            raise
        if self._asked.known:
            self._writer.reader.skip_text()  # its beginning is over: the end has the whole text

    async def wait_answer(self) -> RunReply:
        """Wait for the run's answer and return it. Raises ``HttpRefusal`` if there is none."""
        with when_lost(self._request, self._on_lost):
            reply = await self._wait_end()
        if isinstance(reply, HttpRefusal):
            raise reply
        return reply

    async def stream(self) -> web.StreamResponse:
        """Stream the answer to the client; return the response."""
        events = self._events
        assert events is not None
        figures = self._parts.api
        figures.streams += 1
        outcome = "failed"
        try:
            with when_lost(self._request, self._on_lost):
                refusal = await self._send(events)
            outcome = "answered" if refusal is None else outcome
            await events.end()
        except ConnectionError:
            outcome = "slow" if self._slow else GONE
        finally:
            self._over = True
            events.drop()
            figures.streams -= 1
            figures.outcomes[outcome] += 1
        return events.response

    async def _send(self, events: EventWriter) -> HttpRefusal | None:
        """Send the answer; return the refusal if one was sent instead."""
        writer = self._writer
        ending = asyncio.ensure_future(self._wait_end())
        ending.add_done_callback(lambda _: events.close())
        try:
            await events.begin(writer.begin())
            while (text := await events.next()) is not None:
                if text:
                    await events.write(writer.text(text))
            reply = await ending
            refusal = reply if isinstance(reply, HttpRefusal) else None
            last = writer.fail(reply) if isinstance(reply, HttpRefusal) else writer.end(reply)
            for data in last:
                await events.write(data)
            return refusal
        finally:
            ending.cancel()

    async def _wait_end(self) -> RunReply | HttpRefusal:
        """Wait for the end of the run; return its answer, or the refusal if it has none."""
        assert self._asked is not None
        ending = self._asked.ending()
        if ending is None:
            run = await self._asked.wait()
        else:
            await asyncio.wait([ending])
            if ending.cancelled():
                return self._restarting()
            run = ending.result()
        reader = self._writer.reader
        if self._asked.known and reader.has_tools:
            await self._read_calls(run)
        if (refusal := failure_of(run)) is not None:
            return refusal
        try:
            reply = reader.end(run)
        except HttpRefusal as lacking:
            return lacking
        if self._events is not None and not reply.more:
            self._events.complete(reply.text)  # all of it was streamed
        return reply

    def _restarting(self) -> HttpRefusal:
        """Return the answer of a gateway that ends before the run does."""
        text = f"the gateway is restarting; the run {self._run.id} goes on without this answer"
        if self._keyed:
            return busy(f"{text}: ask again with the same Idempotency-Key")
        return HttpRefusal(503, text, API, NO_RETRY)

    async def _read_calls(self, run: Run) -> None:
        """Read the calls of tools of a run whose events have partly gone to an earlier request."""
        reader, journal = self._writer.reader, await self._parts.asking.journal()
        for entry in await journal.entries(run.session, CALLS_ENTRIES):
            if entry.run == run.id and entry.role == "assistant":
                for call in entry.calls:
                    reader.read(call)
            elif entry.run == run.id and entry.role == "tool":
                reader.read(ToolResult(entry.call, entry.text))

    def _on_update(self, update: RunUpdate) -> None:
        if self._over:
            return
        if update.step == "started":
            self._writer.reader.begin()
        elif update.event is not None:
            text = self._writer.reader.read(update.event)
            if self._events is not None:
                self._events.add(text)

    def _on_lost(self) -> None:
        """Abort the run, because its client has disconnected."""
        events = self._events
        self._over = True
        if events is not None:
            self._slow = events.slow or events.stuck
            events.mark_lost()
        if self._slow:
            return  # its client does not read: that is not the run's fault
        if self._keyed:
            return
        if self._asked is not None and self._parts.runs.whole:
            self._asked.abort(GONE)
