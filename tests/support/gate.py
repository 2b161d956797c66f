"""A gate between the console's page and the gateway: it refuses, changes and drops what passes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.async_api import WebSocketRoute, expect

from tests.support.console import Console

REFUSAL = {"code": "UNAVAILABLE", "message": "the supervisor is busy", "retryable": False}

Frame = dict[str, Any]


class Gate:
    """What stands between the page and the gateway.

    ``refused`` are methods that are answered with ``refusal``, ``refuses`` says so of single
    requests, ``answers`` are payloads by method, and ``unanswered`` methods get no answer at all;
    ``asked`` are the methods of all requests.
    ``change`` gets each frame of the gateway before the page does. While it is ``shut``, each
    connection ends as soon as it begins.
    """

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.refusal = dict(REFUSAL)
        self.refuses: Callable[[Frame], bool] = lambda _: False
        self.answers: dict[str, Any] = {}
        self.unanswered: set[str] = set()
        self.change: Callable[[Frame], None] | None = None
        self.asked: list[str] = []
        self.shut = False
        self._socket: WebSocketRoute | None = None

    async def pass_on(self, socket: WebSocketRoute) -> None:
        """Connect the page with the gateway, unless it is shut."""
        if self.shut:
            await socket.close()
            return
        self._socket, server = socket, socket.connect_to_server()

        def forward(text: str | bytes) -> None:
            frame = json.loads(text)
            method = frame["method"]
            self.asked.append(method)
            if method in self.refused or self.refuses(frame):
                self.send({"type": "res", "id": frame["id"], "ok": False, "error": self.refusal})
            elif method in self.answers:
                payload = self.answers[method]
                self.send({"type": "res", "id": frame["id"], "ok": True, "payload": payload})
            elif method not in self.unanswered:
                server.send(text)

        def back(text: str | bytes) -> None:
            if self.change is None:
                socket.send(text)
                return
            frame = json.loads(text)
            self.change(frame)
            socket.send(json.dumps(frame))

        socket.on_message(forward)
        server.on_message(back)

    def send(self, frame: Frame) -> None:
        """Send the page a frame that the gateway has not sent."""
        assert self._socket is not None
        self._socket.send(json.dumps(frame))

    async def drop(self) -> None:
        """End the page's connection."""
        assert self._socket is not None
        await self._socket.close()


async def gate_of(console: Console) -> Gate:
    """Put a gate before the gateway, and load the page anew."""
    gate = Gate()
    console.expected = ["WebSocket connection to"]
    await console.page.route_web_socket(re.compile("^ws:"), gate.pass_on)
    await console.page.reload()
    await expect(console.heading("Fleet")).to_be_visible()
    return gate
