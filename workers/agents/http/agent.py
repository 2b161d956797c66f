"""Answers turns with a server: posts each, signed, and reads JSON or a stream of events."""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401 - a first connection imports it: 1.3 MiB in each worker
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import aiohttp

from workers.agent import AgentContext, Final, Turn, TurnEvent
from workers.agents.answers import AnswerBound, BrokenAnswer, read_event
from workers.agents.event_streams import DONE, EventSplitter
from workers.agents.http.config import HttpAgentConfig
from workers.agents.http.exchange import LINKS, body_of_turn, failure_of_status, final_of
from workers.errors import Misconfigured, Transient
from workers.web.faults import fault_of
from workers.web.public_addresses import PrivateAddress, public_session
from workers.web.retry_after import asked_wait
from workers.web.signing import sign, webhook_id

MAX_REFUSAL = 4096  # bytes that are read of an answer that is no success


class HttpAgent:
    """The agent of one server. All turns share its connections."""

    def __init__(self, ctx: AgentContext) -> None:
        self.ctx = ctx
        self.config: HttpAgentConfig = ctx.config
        limits = aiohttp.ClientTimeout(
            total=None,  # the turn has its deadline
            sock_connect=self.config.connect_seconds,
            sock_read=self.config.silent_seconds,
        )
        self._session = public_session(
            limits,
            allow_private=self.config.allow_private,
            behind_proxy=ctx.proxy is not None,
        )

    async def run(self) -> None:
        """Keep the connections open until cancelled, then close them."""
        try:
            await asyncio.Event().wait()
        finally:
            await self._session.close()

    async def turn(self, turn: Turn) -> AsyncIterator[TurnEvent | Final]:
        """Yield the events of the server's answer, and the final one."""
        now = int(time.time())
        name, body = webhook_id(turn.run), body_of_turn(self.config, turn, now)
        headers = {
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self.config.keys, name, now, body),
        }
        try:
            async with (
                self._session.post(
                    self.config.url,
                    data=aiohttp.BytesPayload(body, content_type="application/json"),
                    headers=headers,
                    allow_redirects=False,
                    proxy=self.ctx.proxy,
                ) as response,
                aclosing(self._answer(response)) as events,
            ):
                async for event in events:
                    yield event
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _failure(error) from None

    async def _answer(
        self, response: aiohttp.ClientResponse
    ) -> AsyncGenerator[TurnEvent | Final, None]:
        """Yield the events of a response; raises for an error status or a malformed body."""
        status = response.status
        if status == 204:
            yield Final("")
            return
        if status != 200:
            words = await response.content.read(MAX_REFUSAL)
            wait = asked_wait(response.headers.get("Retry-After"))
            raise failure_of_status(status, words.decode("utf-8", "replace"), wait)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise BrokenAnswer("the server sent a compressed answer, which was not asked for")
        kind = response.content_type
        if kind not in ("application/json", "text/event-stream"):
            raise Misconfigured(f"the server answered with {kind}, not with JSON or events")
        bound = AnswerBound(self.config.max_answer_bytes)
        events, whole = EventSplitter(), bytearray()
        async for piece in response.content.iter_any():
            bound.count(len(piece))
            if kind == "application/json":
                whole += piece
                continue
            for data in events.feed(piece):
                event = Final() if data == DONE else read_event(data, LINKS)
                yield event
                if isinstance(event, Final):
                    return
        if kind != "application/json":
            raise Transient("the server ended its answer before the final event")
        yield final_of(bytes(whole))


def _failure(error: BaseException) -> Exception:
    """Return the exception for a request that failed."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, PrivateAddress
    ):
        return Misconfigured(f"{error.os_error.strerror}; set allowPrivate to send there")
    if isinstance(error, aiohttp.InvalidURL):
        return Misconfigured("url is not a valid URL")
    return Transient(str(fault_of("the turn", error)))
