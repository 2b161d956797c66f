"""Follows the run for an HTTP request until it ends or the client disconnects.

A client that closes its connection ends the run. One that does not read loses its connection, and
the run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from aiohttp import web

from runtime.gateway.http.api_refusals import API, NO_RETRY, HttpRefusal, failure_of
from runtime.gateway.http.lost_clients import when_lost
from runtime.gateway.http.openai.answers import ReplyReader
from runtime.gateway.http.openai.streams import EventWriter
from runtime.gateway.journal.runs import Run
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import AskedRun
from runtime.gateway.runs.live import RunUpdate

GONE = "disconnected"  # why such a run was aborted, for those who watch it


class AnswerWriter(Protocol):
    """Interface of the writer of one answer in the shape of its API."""

    reader: ReplyReader

    def begin(self) -> bytes:
        """Return the first events."""

    def text(self, text: str) -> bytes:
        """Return the event for a piece of text."""

    def end(self, run: Run) -> Iterator[bytes]:
        """Yield the last events of a run that has an answer."""

    def fail(self, refusal: HttpRefusal) -> Iterator[bytes]:
        """Yield the last events of a run without an answer."""


class FollowedRun:
    """A run of an agent, and the request that it answers. ``begin`` it first.

    With ``stream`` the answer is ``streamed``.
    """

    def __init__(
        self,
        parts: GatewayParts,
        request: web.BaseRequest,
        run: Run,
        writer: AnswerWriter,
        *,
        stream: bool = False,
    ) -> None:
        self._parts = parts
        self._request = request
        self._run = run
        self._writer = writer
        # From the beginning: text may come before ``begin`` has returned.
        self._events = EventWriter(request) if stream else None
        self._asked: AskedRun | None = None
        self._over = self._slow = False

    async def begin(self) -> None:
        """Begin the run. Raises ``RemoteError``."""
        self._asked = await self._parts.asking.ask(self._run, self._on_update)

    async def answered(self) -> Run:
        """Wait for the run's answer and return the run. Raises ``HttpRefusal`` if it has none."""
        with when_lost(self._request, self._lost):
            run, refusal = await self._ended()
        if refusal is not None:
            raise refusal
        return run

    async def streamed(self) -> web.StreamResponse:
        """Stream the answer to the client; return the response."""
        events = self._events
        assert events is not None
        figures = self._parts.api
        figures.streams += 1
        outcome = "failed"
        try:
            with when_lost(self._request, self._lost):
                refusal = await self._sent(events)
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

    async def _sent(self, events: EventWriter) -> HttpRefusal | None:
        """Send the answer; return the refusal if one was sent instead."""
        writer = self._writer
        ending = asyncio.ensure_future(self._ended())
        ending.add_done_callback(lambda _: events.close())
        try:
            await events.begin(writer.begin())
            while (text := await events.next()) is not None:
                if text:
                    await events.write(writer.text(text))
            run, refusal = await ending
            for data in writer.end(run) if refusal is None else writer.fail(refusal):
                await events.write(data)
            return refusal
        finally:
            ending.cancel()

    async def _ended(self) -> tuple[Run, HttpRefusal | None]:
        """Wait for the end of the run; return it, and the refusal if it has no answer."""
        assert self._asked is not None
        ending = self._asked.ending()
        if ending is None:
            run = await self._asked.end()
            return run, failure_of(run)
        await asyncio.wait([ending])
        if ending.cancelled():
            text = f"the gateway is restarting; the run {self._run.id} goes on without this answer"
            return self._run, HttpRefusal(503, text, API, NO_RETRY)
        run = ending.result()
        return run, failure_of(run)

    def _on_update(self, update: RunUpdate) -> None:
        if self._over:
            return
        if update.step == "started":
            self._writer.reader.begin()
        elif update.event is not None:
            text = self._writer.reader.take(update.event)
            if self._events is not None:
                self._events.add(text)

    def _lost(self) -> None:
        """Abort the run, because its client has disconnected."""
        events = self._events
        self._over = True
        if events is not None:
            self._slow = events.slow or events.stuck
            events.lose()
        if self._slow:
            return  # its client does not read: that is not the run's fault
        if self._asked is not None and self._parts.runs.whole:
            self._asked.abort(GONE)
