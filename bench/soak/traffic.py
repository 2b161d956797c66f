"""Clients of the soak: one that stays over restarts, one that sees every frame, one that sends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.soak.numbers import Arrival, Number, Numbers, Stream
from ipc.client import ReconnectingClient, Subscription
from ipc.errors import IpcError, RemoteError
from ipc.frames.cursors import Cursors, parse_cursor
from ipc.frames.websocket import Event
from tests.support.daemon import TOKEN, Daemon
from tests.support.until import PATIENCE

MESSAGE, GAP = "channel.message", "channel.gap"
RETRY = 0.05  # seconds
LAST_SECONDS = 10.0  # for the last messages of accounts that have been stopped
CALL_SECONDS = 20.0  # longer than any fault keeps the gateway away
TARGETS = {"local": "*", "irc": "#soak"}  # what an account sends to; by channel


class _Text(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct, rename="camel"):
    account: str
    cursor: str = ""
    direction: str = "in"
    redelivered: bool = False
    message: _Text = msgspec.field(default_factory=_Text)


_decode = msgspec.json.Decoder(_Message).decode


def arrival(payload: msgspec.Raw) -> Arrival:
    """Return one ``channel.message`` with the number in its text, where that is one of ours."""
    message = _decode(payload)
    cursor = parse_cursor(message.cursor)
    number: Number | None = None
    words = message.message.text.split(" ", 2)
    channel = message.account.partition(":")[0]
    if message.direction == "out":
        if words[0] == "out":
            number = 0, int(words[1])
    elif channel == "local":
        number = cursor[0], int(words[0])  # each process counts anew
    elif channel == "source":
        number = 0, int(words[0])
    elif words[0] == "in":
        number = 0, int(words[1])
    return Arrival(message.account, message.direction, cursor, message.redelivered, number)


class Relay:
    """A port in front of the gateway's, on which every connection can be cut."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections."""
        self._server.close()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    def cut(self) -> None:
        """Abort every connection on both sides, without a last word."""
        for each in list(self._writers):
            each.transport.abort()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        await self._carry(near, back)

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, to = await asyncio.open_connection("127.0.0.1", self._daemon.port)
        except OSError:
            back.transport.abort()
            return
        both = {back, to}
        ways = {asyncio.create_task(_pump(near, to)), asyncio.create_task(_pump(far, back))}
        self._writers |= both
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for each in both:
            each.transport.abort()
        await asyncio.wait(ways)
        self._writers -= both


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


class Person:
    """A client that stays over restarts, behind the relay; it sends numbered messages too.

    ``confirmed`` are the numbers of each account whose sending was answered.
    """

    def __init__(self, port: int, accounts: Sequence[str]) -> None:
        self.numbers = Numbers()
        self.counts: Counter[str] = Counter()
        self.confirmed: defaultdict[str, list[int]] = defaultdict(list)
        self.gaps_seen: list[str] = []
        self._came = asyncio.Event()
        self.client = ReconnectingClient(
            f"ws://127.0.0.1:{port}",
            token=TOKEN,
            on_event=self._take,
            subscribe=Subscription(accounts=list(accounts), events=[MESSAGE]),
        )

    def _take(self, event: Event) -> None:
        payload: Any = event.payload
        if event.event == MESSAGE:
            self.numbers.take(arrival(payload))
            self._came.set()
        elif event.event == GAP:
            self.numbers.gap(_decode(payload).account)
        elif event.event == "client.gap" and len(self.gaps_seen) < 50:
            self.gaps_seen.append(bytes(payload).decode())

    async def heard(self) -> None:
        """Wait until a message comes."""
        self._came.clear()
        async with asyncio.timeout(PATIENCE):
            await self._came.wait()

    async def heard_all(self, written: Mapping[Stream, Sequence[int]]) -> bool:
        """Wait until the last of what was written has come; return whether it did in time."""
        ends = asyncio.get_running_loop().time() + LAST_SECONDS
        while asyncio.get_running_loop().time() < ends:
            texts = self.numbers.texts
            if all(not w or (texts[k].last or (0, 0))[1] >= max(w) for k, w in written.items()):
                return True
            await asyncio.sleep(RETRY)
        return False

    async def talk(self, key: str, seconds: float, draw: random.Random) -> None:
        """Send a numbered message every so many seconds, give or take a half, until cancelled."""
        channel, _, account = key.partition(":")
        params = {"channel": channel, "accountId": account, "to": TARGETS.get(channel, "soak")}
        number = 0
        while True:
            await asyncio.sleep(seconds * draw.uniform(0.5, 1.5))
            number += 1
            text = f"out {number}"
            named = {"message": text, "idempotencyKey": f"{key}-{number}"}
            self.counts[await self._send(key, number, params | named)] += 1

    async def _send(self, key: str, number: int, params: dict[str, Any]) -> str:
        try:
            await self.client.call("send", params, timeout=CALL_SECONDS)
        except RemoteError as error:
            unknown = isinstance(error.details, dict) and error.details.get("maybeExecuted")
            return "unknown" if unknown else "refused"
        except IpcError:
            return "unknown"
        self.confirmed[key].append(number)
        return "sent"


class Onlooker:
    """A client that sees every frame of all accounts: nothing is dropped on the way to the check.

    A flood makes it a slow consumer now and then; it comes back with its cursors.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.numbers = Numbers()
        self.sessions = 0
        self.there = asyncio.Event()  # it has a session
        self._daemon = daemon
        self._cursors = Cursors()

    async def follow(self) -> None:
        """Follow until cancelled."""
        while True:
            with contextlib.suppress(IpcError, OSError):
                async with await self._daemon.client(caps=(), on_event=self._take) as client:
                    self.sessions += 1
                    asked = self._cursors.params()
                    params = {"events": [MESSAGE], "cursors": asked}
                    answer = await client.call("events.subscribe", params)
                    self._cursors.on_subscribed(answer["cursors"], asked)
                    self.there.set()
                    await client.closed
            self.there.clear()
            await asyncio.sleep(RETRY)

    def _take(self, event: Event) -> None:
        payload: Any = event.payload
        if event.event == MESSAGE:
            self.numbers.take(arrival(payload))
            self._cursors.apply(payload)
        elif event.event == GAP:
            self.numbers.gap(_decode(payload).account)
            self._cursors.on_gap(payload)
