"""Keeps one session to the other gateway open at all times, for all turns of an agent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ipc import timeouts
from ipc.client import Client, ReconnectingClient
from ipc.errors import IpcError, PeerGone
from ipc.frames.websocket import Event
from ipc.identity.device import Identity
from ipc.nesting import MALFORMED, decode_json
from ipc.websocket.backoff import Backoff, RetryPolicy
from workers.agent import AgentContext
from workers.agents.openclaw.config import OpenClawConfig
from workers.agents.openclaw.failures import failure_of_session
from workers.errors import Misconfigured, NeedsLogin, Transient

SCOPES = ("operator.read", "operator.write")
ADMIN = "operator.admin"
CAPS = ("tool-events",)
EVENTS = ("agent", "chat")
RETRY = RetryPolicy(steps=(0.5, 1.0, 2.0, 5.0), most=30.0)

OnEvent = Callable[[str, Mapping[str, Any]], None]


class OtherSession(msgspec.Struct, frozen=True):
    """A session. ``process`` identifies the gateway's process, ``policy`` has its limits."""

    number: int
    process: str
    policy: Mapping[str, Any]
    client: ReconnectingClient


class OtherGateway:
    """Sessions to the gateway of one agent; ``on_event(name, payload)`` gets each event of runs.

    ``run`` keeps a session open. ``sessions`` counts them.
    """

    def __init__(self, ctx: AgentContext, on_event: OnEvent) -> None:
        self.sessions = 0
        self.closing = False  # the process of the agent ends
        self._ctx = ctx
        self._config: OpenClawConfig = ctx.config
        self._on_event = on_event
        self._identity: Identity | None = None
        self._client: ReconnectingClient | None = None
        self._session: OtherSession | None = None
        self._failure: Exception | None = None
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Keep a session open until cancelled; after a refusal it waits and tries again."""
        backoff = Backoff(RETRY, random.random)
        try:
            path = self._ctx.storage / "identity.json"
            identity = self._identity = await self._ctx.thread(Identity.load, path)
            while True:
                before = self.sessions
                error = await self._keep(identity)
                if self.sessions > before:
                    backoff.reset()
                self._failure = failure_of_session(error, identity.id)
                self._ctx.log.warning("no session to the other gateway", error=str(self._failure))
                self._ctx.status(connected=False, last_error=str(self._failure))
                self._wake()
                await asyncio.sleep(backoff.wait(error))
        finally:
            self.closing = True

    async def session(self, newer: int = 0) -> OtherSession:
        """Return the current session if its number is above ``newer``; otherwise wait for one.

        Raises a ``ChannelError`` for why there is none: at once if only a person can correct it,
        otherwise after ``awaySeconds``.
        """
        try:
            async with timeouts.timeout(self._config.away_seconds):
                while True:
                    found = self._session
                    if found is not None and found.number > newer:
                        return found
                    if isinstance(self._failure, NeedsLogin | Misconfigured):
                        raise self._failure
                    await self._news.wait()
        except TimeoutError:
            if isinstance(self._failure, Transient):
                raise self._failure from None
            away = f"no session to the other gateway within {self._config.away_seconds:g} s"
            raise Transient(away) from None

    async def reset(self, key: str) -> None:
        """Begin a new conversation under a key, over a separate connection.

        Only an administrator may do that, and an administrator's runs count as the owner's, which
        runs for people in chats must not. If it is refused, the old conversation goes on.
        """
        try:
            async with await Client.connect(
                self._config.url,
                token=self._config.token,
                password=self._config.password,
                identity=self._identity,
                scopes=(ADMIN,),
                timeout=self._config.connect_seconds,
            ) as client:
                await client.call("sessions.reset", {"key": key, "reason": "new"})
        except IpcError as error:
            self._ctx.log.warning(
                "the conversation at the other gateway goes on", session=key, error=str(error)
            )

    async def _keep(self, identity: Identity) -> IpcError:
        """Keep sessions open until connecting fails; return why."""
        config = self._config
        client = self._client = ReconnectingClient(
            config.url,
            on_event=self._receive,
            token=config.token,
            password=config.password,
            identity=identity,
            scopes=SCOPES,
            caps=CAPS,
            timeout=config.connect_seconds,
        )
        try:
            await client.open()
            await asyncio.wait({client.closed})
        except IpcError as error:
            return error
        finally:
            self._session = None
            await client.close()
        return client.ended or PeerGone(client.place, maybe_executed=False)

    def _receive(self, event: Event) -> None:
        match event.event:
            case "client.opened":
                self._on_opened(_object(event))
            case "client.lost":
                self._session = None
                self._ctx.status(connected=False)
            case name if name in EVENTS:
                self._on_event(name, _object(event))

    def _on_opened(self, hello: Mapping[str, Any]) -> None:
        assert self._client is not None
        self.sessions += 1
        server, policy = hello.get("server"), hello.get("policy")
        process = server.get("bootId") if isinstance(server, Mapping) else None
        self._failure = None
        self._session = OtherSession(
            self.sessions,
            process if isinstance(process, str) else f"session {self.sessions}",
            policy if isinstance(policy, Mapping) else {},
            self._client,
        )
        self._ctx.status(connected=True, last_error=None)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _object(event: Event) -> Mapping[str, Any]:
    if not isinstance(event.payload, msgspec.Raw):
        return {}
    try:
        value = decode_json(event.payload, object)
    except MALFORMED:
        return {}
    return value if isinstance(value, Mapping) else {}
