"""Prints every change of accounts and the gateway, and every message.

Changes come from the supervisor, also while the gateway is down; messages come from the gateway,
which is connected again whenever the supervisor reports that it is up. With a URL both come from
that gateway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ipc.errors import IpcError
from ipc.frames.websocket import Event
from ipc.frames.words import Phase
from ipc.websocket import reconnecting
from ipc.websocket.client import Client
from ipc.websocket.reconnecting import ReconnectingClient
from ops.connect.account_api import AccountApi, payload_of
from ops.connect.gateway import GatewayAddress, address_of, connected_gateway, own_address
from ops.connect.places import places_of
from ops.connect.selection import chosen, matches
from ops.connect.supervisor import GONE, connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from ops.output.narration import Narrator, message_line
from ops.output.show import show_json_line
from ops.output.text import clean, clock

REJOIN = 0.5  # seconds in which our own gateway is back, or its supervisor reports when


def watch_accounts(target: RuntimeTarget, keys: Sequence[str], *, as_json: bool) -> None:
    """Print until the connection ends or Ctrl-C; ``keys`` limit it to some accounts.

    Raises ``OperatorError``, exit 3, if the connection is lost.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(Watcher(target, keys, as_json=as_json).run())


class Watcher:
    """One run of ``trunkline watch``."""

    def __init__(self, target: RuntimeTarget, keys: Sequence[str], *, as_json: bool) -> None:
        self._target = target
        self._keys = keys
        self._json = as_json
        self._narrator = Narrator()
        self._up = asyncio.Event()
        self._news = asyncio.Event()  # of the connection to a gateway elsewhere
        self._ending: str | None = None

    async def run(self) -> None:
        """Print until the connection ends; raises ``OperatorError`` if it is lost."""
        if self._target.url is not None:
            await self._watch_gateway(await address_of(self._target))
            return
        async with connected_supervisor(places_of(self._target), on_event=self._on_event) as client:
            status = {"agents": []} | await client.call("supervisor.status", {})
            count = len(chosen([*status["accounts"], *status["agents"]], self._keys))
            for row in [*status["accounts"], *status["agents"]]:
                self._narrator.set(row["account"], row)
            self._note_gateway(status["gateway"])
            self._narrator.set("gateway", status["gateway"])
            self._print(f"watching {count} account{'' if count == 1 else 's'}; Ctrl-C ends")
            await self._until_closed(client)

    async def _until_closed(self, client: Client) -> None:
        messages = asyncio.create_task(self._follow_messages())
        closed: asyncio.Future[Any] = asyncio.shield(client.closed)
        try:
            await asyncio.wait({messages, closed}, return_when=asyncio.FIRST_COMPLETED)
            if messages.done():
                messages.result()
        finally:
            messages.cancel()
            await asyncio.wait({messages})
        if self._ending is None:
            raise OperatorError(GONE, ExitCode.NOT_RUNNING)

    async def _follow_messages(self) -> None:
        """Print the messages of our own gateway whenever it runs."""
        while True:
            await self._up.wait()
            try:
                address = await own_address(places_of(self._target), self._target.token)
                joined = connected_gateway(address, on_event=self._on_message, patience=REJOIN)
                async with joined as client:
                    await asyncio.shield(client.closed)
            except (IpcError, OperatorError) as error:
                if self._up.is_set() and self._ending is None:
                    self._print(clean(f"no messages from the gateway: {error}"))
                self._up.clear()  # not again before it is reported to be back

    async def _watch_gateway(self, address: GatewayAddress) -> None:
        """Print the changes and messages of a gateway at a URL, across its restarts."""
        async with connected_gateway(address, on_event=self._on_event) as client:
            api = AccountApi(client, through_gateway=True)
            status = await api.status()
            for row in chosen([*status["accounts"], *status["agents"]], self._keys):
                self._narrator.set(row["account"], row)
            self._print(f"watching {address.url}; Ctrl-C ends")
            client.closed.add_done_callback(lambda _: self._news.set())
            while self._is_going_on(client):
                self._news.clear()
                await self._news.wait()
                if client.connected and self._ending is None:
                    # another session: changes between the two were not announced
                    for row in (await api.status())["accounts"]:
                        self._print_change(row)
            if self._ending is None:
                text = f"the gateway at {address.url} is gone: {client.ended}"
                raise OperatorError(text, ExitCode.NOT_RUNNING)

    def _is_going_on(self, client: ReconnectingClient) -> bool:
        return self._ending is None and client.ended is None

    def _on_event(self, event: Event) -> None:
        match event.event:
            case "channel.status" | "agent.status":
                self._print_change(payload_of(event), event.event)
            case "channel.removed" | "agent.removed":
                self._print_removal(payload_of(event), event.event)
            case "gateway.status":
                row = payload_of(event)
                self._note_gateway(row)
                self._print_change(row | {"account": "gateway"}, "gateway.status")
            case "channel.message":
                self._on_message(event)
            case "shutdown":
                self._note_shutdown(payload_of(event) or {})
            case reconnecting.LOST:
                self._print(f"gateway lost: {clean(payload_of(event)['reason'])}")
            case reconnecting.OPENED:
                self._news.set()

    def _note_shutdown(self, announced: dict[str, Any]) -> None:
        reason = clean(str(announced.get("reason") or "no reason given"))
        self._print(f"shutdown: {reason}")
        if announced.get("restartExpectedMs") is None:
            self._ending = reason
            self._news.set()

    def _on_message(self, event: Event) -> None:
        if event.event != "channel.message":
            return
        message = payload_of(event)
        if not self._keys or matches(message["account"], self._keys):
            self._show(event.event, message, message_line(message))

    def _note_gateway(self, row: dict[str, Any]) -> None:
        if row.get("connected") and row.get("phase") == Phase.RUNNING:
            self._up.set()
        else:
            self._up.clear()

    def _print_change(self, row: dict[str, Any], event: str = "channel.status") -> None:
        name = row["account"]
        if self._keys and name != "gateway" and not matches(name, self._keys):
            return
        self._show(event, row, self._narrator.narrate(name, row, time.time()))

    def _print_removal(self, row: dict[str, Any], event: str) -> None:
        self._show(event, row, f"{clean(row['account'])}  removed")

    def _show(self, event: str, row: dict[str, Any], line: str | None) -> None:
        if line is None:
            return
        if self._json:
            show_json_line({"event": event, "ts": int(time.time() * 1000), "payload": row})
        else:
            self._print(line)

    def _print(self, line: str) -> None:
        if not self._json:
            print(f"{clock(time.time() * 1000)}  {line}", flush=True)
