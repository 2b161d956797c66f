"""A faulty channel for the conformance tests: it confirms messages before they are stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from aiohttp import web

from workers.errors import Transient
from workers.messages import Chat, Inbound, Outbound, Sender, Sent
from workers.plugin import Context, Manifest, Text
from workers.testing.http_fake import HttpFake

SECRET = "a-secret-that-is-told"


class LossyConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    server: str
    token: str


manifest = Manifest(
    id="lossy",
    label="Lossy",
    config=LossyConfig,
    secrets=frozenset({"token"}),
    plugin="tests.support.lossy_channel:Lossy",
    text=Text(limit=100),
)
promising = replace(manifest, can=frozenset({"edit"}))


class Lossy:
    """Removes each message from the platform first, then emits it, with a new id each time."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def run(self) -> None:
        self.ctx.ready()
        while True:
            async with self.ctx.http.get(f"{self.ctx.config.server}/take") as answer:
                if answer.status == 401:
                    raise Transient("a wrong token is taken for a passing fault")
                for text in await answer.json():
                    fresh = str(time.time_ns())
                    await self.ctx.emit(Inbound(fresh, Chat("a", "direct"), Sender("a"), text, 1))

    async def send(self, message: Outbound) -> Sent:
        async with self.ctx.http.post(f"{self.ctx.config.server}/put", data=message.text[:99]):
            return Sent("", message.to, 1)


class LossyFake(HttpFake):
    """Forgets delivered messages, like a queue without confirmation."""

    to = "a"

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []
        self.put: list[str] = []
        self.stirred = asyncio.Event()

    def fields(self) -> Mapping[str, Any]:
        return {"server": self.url, "token": SECRET}

    def routes(self) -> Iterable[web.RouteDef]:
        return [web.get("/take", self.on_take), web.post("/put", self.on_put)]

    async def on_take(self, request: web.Request) -> web.StreamResponse:
        while not self.waiting:
            self.stirred.clear()
            await self.stirred.wait()
        taken, self.waiting = self.waiting, []
        return web.json_response(taken)

    async def on_put(self, request: web.Request) -> web.StreamResponse:
        self.put.append(await request.text())
        return web.Response()

    async def say(self, text: str) -> None:
        self.waiting += [text] * self.copies()
        self.stirred.set()

    def heard(self) -> Sequence[str]:
        return self.put
