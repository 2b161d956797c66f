"""A channel whose plugin runs in the test's own process and does what the test sets on it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import msgspec

from workers.messages import Action, Chat, Inbound, Outbound, Sender, Sent
from workers.plugin import Context, HttpRequest, HttpResponse, Manifest


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    password: str | None = None
    number: int = 0


class ControllablePlugin:
    """``latest`` is the instance of the running worker."""

    latest: ClassVar[ControllablePlugin]
    ran: ClassVar[asyncio.Future[ControllablePlugin]]

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.sent: list[Outbound] = []
        self.cancelled = False
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_send: Callable[[Outbound], Awaitable[Any]] | None = None
        self.on_http: Callable[[HttpRequest], Awaitable[Any]] = _hello
        self.on_action: Callable[[Action], Awaitable[Any]] = _nothing
        self.on_probe: Callable[[Any], Awaitable[Any]] | None = None
        self.on_stop: Callable[[], Awaitable[None]] | None = None
        self.login = True
        self.began_at = ctx.cursor  # as it was before the plugin ran
        self.health: Any = {"ok": True}
        ControllablePlugin.latest = self

    async def run(self) -> None:
        self.ctx.ready()
        try:
            await self.end
        except asyncio.CancelledError:
            self.cancelled = True
            if self.on_stop:
                await self.on_stop()
            raise

    async def http(self, request: HttpRequest) -> Any:
        return await self.on_http(request)

    async def send(self, message: Outbound) -> Sent:
        self.sent.append(message)
        if self.on_send:
            result: Sent = await self.on_send(message)
            return result
        return Sent(id=f"m{len(self.sent)}", chat=message.to, ts=1)

    async def edit(self, action: Action) -> Any:
        return await self.on_action(action)

    async def typing(self, action: Action) -> Any:
        return await self.on_action(action)

    async def history(self, action: Action) -> Any:
        return await self.on_action(action)

    async def probe(self) -> Any:
        return await self.on_probe(None) if self.on_probe else self.health

    async def logout(self) -> bool:
        return self.login

    async def say(self, *texts: str, addressed: bool = False) -> None:
        for text in texts:
            await self.ctx.emit(said(text, addressed=addressed))


async def _hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse.text(200, f"{request.method} {request.path}?{request.query}")


async def _nothing(action: Action) -> None:
    """Do nothing."""


def said(text: str, *, addressed: bool = False) -> Inbound:
    return Inbound(
        id=f"id-{text[:40]}",
        chat=Chat(id="room", kind="group"),
        sender=Sender(id="ann"),
        text=text,
        ts=1,
        addressed=addressed,
    )


manifest = Manifest(
    id="controllable",
    label="ControllablePlugin",
    config=Config,
    plugin=f"{__name__}:ControllablePlugin",
    secrets=frozenset({"password"}),
    status={"connected": False, "mode": "test"},
)
able = dataclasses.replace(manifest, can=frozenset({"edit", "history", "typing"}), typing=0.05)
serving = dataclasses.replace(manifest, can=frozenset({"http"}))
promising = dataclasses.replace(manifest, can=frozenset({"edit", "members", "pin"}))
keeping = dataclasses.replace(manifest, cursor=True)  # the plugin keeps a cursor
not_a_manifest = object()
