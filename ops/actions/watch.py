"""The two sources of ``watch``: the supervisor tells what happens, the gateway what is said.

The supervisor's is followed through every outage of the gateway; the gateway is joined
again whenever the supervisor says that it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ipc.errors import IpcError
from ipc.websocket import reconnecting
from ops.connect import gateway as gateways
from ops.connect import supervisor as clients
from ops.connect.account_api import There, payload
from ops.connect.selection import chosen, matches
from ops.exits import Exit, OperatorError
from ops.output.narration import Narrator, message_line
from ops.output.stdout import show_json_line
from ops.output.text import clean, clock

if TYPE_CHECKING:
    from ipc.frames.websocket import Event
    from ipc.websocket.client import Client
    from ops.connect.address import Gateway
    from runtime.config.places import Places


REJOIN = 0.5  # seconds in which our own gateway is back, or its supervisor says when


class Watch:
    """One run of ``watch``: ``keys`` limit it to some accounts."""

    def __init__(
        self,
        places: Places,
        keys: Sequence[str],
        *,
        as_json: bool,
        url: str | None,
        token: str | None,
    ) -> None:
        self._places = places
        self._keys = keys
        self._json = as_json
        self._url = url
        self._token = token
        self._narrator = Narrator()
        self._up = asyncio.Event()
        self._news = asyncio.Event()  # of the session with a gateway elsewhere
        self._ending: str | None = None

    async def run(self) -> None:
        """Print until the other side ends; raises ``OperatorError`` when it was lost."""
        if self._url is not None:
            await self._through(gateways.elsewhere(self._url, self._token))
            return
        async with clients.supervisor(self._places, on_event=self._on_event) as client:
            status = await client.call("supervisor.status", {})
            count = len(chosen(status["accounts"], self._keys))
            for row in status["accounts"]:
                self._narrator.know(row["account"], row)
            self._gateway_is(status["gateway"])
            self._narrator.know("gateway", status["gateway"])
            self._say(f"watching {count} account{'' if count == 1 else 's'}; Ctrl-C ends")
            await self._until_closed(client)

    async def _until_closed(self, client: Client) -> None:
        messages = asyncio.create_task(self._messages())
        closed: asyncio.Future[Any] = asyncio.shield(client.closed)
        try:
            await asyncio.wait({messages, closed}, return_when=asyncio.FIRST_COMPLETED)
            if messages.done():
                messages.result()
        finally:
            messages.cancel()
            await asyncio.wait({messages})
        if self._ending is None:
            raise OperatorError("the supervisor is gone", Exit.NOT_RUNNING)

    async def _messages(self) -> None:
        """Follow the messages of our own gateway, whenever there is one."""
        while True:
            await self._up.wait()
            try:
                target = await gateways.own(self._places, self._token)
                joined = clients.gateway(target, on_event=self._on_message, patience=REJOIN)
                async with joined as client:
                    await asyncio.shield(client.closed)
            except (IpcError, OperatorError) as error:
                if self._up.is_set() and self._ending is None:
                    self._say(f"no messages from the gateway: {error}")
                self._up.clear()  # not again before it says that it is back

    async def _through(self, target: Gateway) -> None:
        """Follow a gateway alone, over its restarts: accounts and messages both come from it."""
        async with clients.gateway(target, on_event=self._on_event) as client:
            rows = (await There(client).status())["accounts"]
            for row in chosen(rows, self._keys):
                self._narrator.know(row["account"], row)
            self._say(f"watching {target.url}; Ctrl-C ends")
            client.closed.add_done_callback(lambda _: self._news.set())
            while self._ending is None and client.ended is None:
                self._news.clear()
                await self._news.wait()
                if (
                    client.connected and self._ending is None
                ):  # again: what changed meanwhile was told to nobody
                    for row in (await There(client).status())["accounts"]:
                        self._tell(row)
            if self._ending is None:
                text = f"the gateway at {target.url} is gone: {client.ended}"
                raise OperatorError(text, Exit.NOT_RUNNING)

    def _on_event(self, event: Event) -> None:
        match event.event:
            case "channel.status":
                self._tell(payload(event))
            case "channel.removed":
                self._removed(payload(event))
            case "gateway.status":
                row = payload(event)
                self._gateway_is(row)
                self._tell(row | {"account": "gateway"}, "gateway.status")
            case "channel.message":
                self._on_message(event)
            case "shutdown":
                self._shutdown(payload(event) or {})
            case reconnecting.LOST:
                self._say(f"gateway lost: {clean(payload(event)['reason'])}")
            case reconnecting.OPENED:
                self._news.set()

    def _shutdown(self, said: dict[str, Any]) -> None:
        reason = clean(str(said.get("reason") or "no reason given"))
        self._say(f"shutdown: {reason}")
        if said.get("restartExpectedMs") is None:
            self._ending = reason
            self._news.set()

    def _on_message(self, event: Event) -> None:
        if event.event != "channel.message":
            return
        message = payload(event)
        if not self._keys or matches(message["account"], self._keys):
            self._show(event.event, message, message_line(message))

    def _gateway_is(self, row: dict[str, Any]) -> None:
        if row.get("connected") and row.get("phase") == "running":
            self._up.set()
        else:
            self._up.clear()

    def _tell(self, row: dict[str, Any], event: str = "channel.status") -> None:
        name = row["account"]
        if self._keys and name != "gateway" and not matches(name, self._keys):
            return
        self._show(event, row, self._narrator.tell(name, row, time.time()))

    def _removed(self, row: dict[str, Any]) -> None:
        self._show("channel.removed", row, f"{clean(row['account'])}  removed")

    def _show(self, event: str, row: dict[str, Any], line: str | None) -> None:
        if line is None:
            return
        if self._json:
            show_json_line({"event": event, "ts": int(time.time() * 1000), "payload": row})
        else:
            self._say(line)

    def _say(self, line: str) -> None:
        if not self._json:
            print(f"{clock(time.time() * 1000)}  {line}", flush=True)
