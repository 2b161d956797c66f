"""Be a peer that calls a ``webhook`` account and is called by it, for the testing kit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web

from tests.workers.channels.webhook.peer import SECRET, message, signed, verified
from workers.channels.webhook.payloads import PEER
from workers.testing.fake import FakePlace
from workers.testing.faults import FaultKind
from workers.testing.http_fake import HttpFake
from workers.testing.loop_thread import PAUSE


class WebhookFake(HttpFake):
    """A peer that sends each webhook again until it is taken, one after the other.

    Of what it gets it takes each ``webhook-id`` once, as receivers of Standard Webhooks do.
    """

    faults: frozenset[FaultKind] = frozenset({"rate_limited", "slow", "duplicate", "unanswered"})
    to = PEER

    def __init__(self) -> None:
        super().__init__()
        self._address = ""
        self._shown: dict[str, str] = {}  # texts by webhook-id
        self._numbers = itertools.count(1)
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None

    def fields(self) -> Mapping[str, Any]:
        """Return the fields of an account that is called and calls."""
        address = f"{self.url}/in"
        return {"ingress": True, "secret": SECRET, "url": address, "allowPrivate": True}

    def routes(self) -> Iterable[web.RouteDef]:
        """Serve one address, which takes messages."""
        return [web.post("/in", self._on_message)]

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Begin to serve, and to send."""
        self._address = f"{place.ingress_url}/hook"
        self._sending = asyncio.create_task(self._send_all())
        return await super().start(place)

    async def close(self) -> None:
        """Send and serve no more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        await super().close()

    async def say(self, text: str) -> None:
        """Send a webhook, when those before it are taken."""
        self._waiting.put_nowait(text)

    def heard(self) -> Sequence[str]:
        """Return the texts that were taken."""
        return list(self._shown.values())

    async def _on_message(self, request: web.Request) -> web.Response:
        body = await request.read()
        data = verified(body, dict(request.headers))["data"]
        self._shown.setdefault(request.headers["webhook-id"], data["text"])
        return web.json_response({})

    async def _send_all(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                text = await self._waiting.get()
                name = f"msg_{next(self._numbers)}"
                for _ in range(self.copies()):
                    await self._send(session, name, message(text))

    async def _send(self, session: aiohttp.ClientSession, name: str, body: bytes) -> None:
        """Send a webhook until it is taken."""
        while True:
            headers = signed(body, name)
            with suppress(aiohttp.ClientError, OSError):
                async with session.post(self._address, data=body, headers=headers) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(PAUSE)
