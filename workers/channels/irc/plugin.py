"""Runs an IRC account: one connection around the pure ``Conversation``.

This is our own client instead of the library ``irc``: measured, the library costs a worker
21 MB and asyncio alone 14 MB, and pacing, lag, rejoining and the meaning of refusals would have
to be written around it in any case. As pure parts they are tested without a socket or a clock.
All decisions are in ``conversation``; this module owns the socket, the clock and the tasks.

It does not reconnect. A connection that ends raises ``Transient``, and the supervisor, which
knows the backoff and what the operator wants, starts the account again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterable, Iterator
from typing import assert_never

from ipc import timeouts
from ipc.connection_errors import failure_text, host_and_port
from ipc.token_bucket import TokenBucket
from workers.channels.irc.config import IrcConfig
from workers.channels.irc.connecting import AddressMemory, connect
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.deliveries import Deliveries, Delivery
from workers.channels.irc.lines import Line, LineBuffer, LineError, line, parse
from workers.channels.irc.outgoing import Outgoing
from workers.channels.irc.outputs import (
    AccountReady,
    Heard,
    Output,
    PongReceived,
    Registered,
    SendLine,
    StatusChanged,
    Typing,
    Undelivered,
    Warned,
)
from workers.channels.irc.translation import compose, to_happened, to_inbound, typing_line
from workers.errors import ChannelError, SendFailed, Transient
from workers.messages import Action, Happened, Inbound, Outbound, Sent
from workers.plugin import Context

READ_BYTES = 64 * 1024
MAX_HEARD = 1000  # messages that wait for the worker before the socket is left unread
MAX_WAITING_LINES = 500  # some minutes at the usual rate
FENCE_SECONDS = 10.0  # after so long a message is asked for though others wait behind it
QUIT_SECONDS = 1.0
HANDOVER_SECONDS = 2.0  # to emit what was received before the end

_LAST = (Heard, PongReceived, Undelivered)  # what still counts after QUIT


class Irc:
    """The plugin of one account on one server."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._config: IrcConfig = ctx.config
        self._loop = asyncio.get_running_loop()
        self._outgoing: Outgoing[Delivery] = Outgoing(self._full_bucket())
        self._conversation = Conversation(self._config, self._loop.time())
        self._received = LineBuffer()
        self._addresses = AddressMemory(ctx.storage / "address.json", self._config.server)
        # ``None`` ends the emitting.
        self._heard: asyncio.Queue[Inbound | Happened | None] = asyncio.Queue()
        self._emitted = asyncio.Event()  # the worker has taken a message
        self._stirred = asyncio.Event()  # there is something new to write or to wait for
        self._reading = True
        self._linked: bool | None = None  # logged in to the services, as last reported
        self._deliveries = Deliveries()
        self._writer: asyncio.StreamWriter | None = None
        # Ids for servers that give none: unique over restarts by the time of this start.
        self._ids = (f"{time.time_ns() // 1000:x}-{n:x}" for n in itertools.count(1))

    async def run(self) -> None:
        """Stay connected until cancelled. Raises ``ChannelError`` when the connection ends."""
        try:
            await self._run_once()
        finally:
            self._addresses.save(worked=self._conversation.registered)

    async def _run_once(self) -> None:
        reader, self._writer = await connect(self._config, self._addresses)
        self._conversation = Conversation(self._config, self._loop.time(), _now_ms())
        emitting = asyncio.create_task(self._emit_heard())
        try:
            await self._converse(reader, emitting)
        except asyncio.CancelledError:
            await self._quit(reader)
            raise
        finally:
            self._deliveries.on_lost()
            try:
                await self._emit_waiting(emitting)
            finally:  # a second cancellation may come at any await
                emitting.cancel()
                await self._hang_up()

    async def send(self, message: Outbound) -> Sent:
        """Send one message. Raises ``SendFailed`` when the server refuses or cannot get it."""
        if self._writer is None or not self._conversation.registered:
            raise SendFailed("not connected", reason="unavailable")
        if len(self._outgoing) >= MAX_WAITING_LINES:
            text = f"{len(self._outgoing)} lines wait to be sent"
            raise SendFailed(text, reason="rate_limited", scope="account")
        lines = compose(message, self._config, self._conversation)
        delivery = self._deliveries.begin(self._conversation.features.fold(message.to), len(lines))
        self._outgoing.put_message(lines, delivery)
        self._flush()
        try:
            await delivery.outcome
        finally:
            self._deliveries.end(delivery)
            self._outgoing.withdraw(delivery)
        self._ctx.status(last_outbound_at=_now_ms())
        return Sent(next(self._ids), message.to, _now_ms(), parts=len(lines))

    async def typing(self, action: Action) -> None:
        """Send that the account types, or has stopped; not while other lines wait to be sent."""
        if self._writer is None or not self._conversation.registered:
            raise SendFailed("not connected", reason="unavailable")
        said = typing_line(action, self._conversation)
        if not self._outgoing:
            self._outgoing.put(said)
            self._flush()

    async def probe(self) -> dict[str, object]:
        """Return the state of the connection as fields."""
        return {"connected": self._conversation.registered, **self._conversation.detail()}

    async def _converse(self, reader: asyncio.StreamReader, emitting: asyncio.Task[None]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(reader))
                tasks.create_task(self._run_timers())
                tasks.create_task(_failure_of(emitting))
        except BaseExceptionGroup as group:
            # The first failure is the reason; it caused the others.
            raise group.exceptions[0] from None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        self._perform(self._conversation.start())
        while data := await self._next(reader):
            for got in self._lines(data):
                self._perform(self._conversation.receive(got, self._loop.time()))
                await self._wait_for_room()
        raise Transient("the server closed the connection")

    def _lines(self, data: bytes) -> Iterator[Line]:
        """Yield the lines that ``data`` completes, without malformed ones."""
        for raw in self._received.feed(data):
            with contextlib.suppress(LineError):
                yield parse(raw)

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(READ_BYTES)
        except OSError as error:  # ssl.SSLError is one
            where = host_and_port(*self._config.address)
            raise Transient(f"connection lost: {failure_text(error, where)}") from error

    async def _wait_for_room(self) -> None:
        """Wait, with the socket unread, while too many messages wait for the worker."""
        if self._heard.qsize() < MAX_HEARD:
            return
        self._reading = False
        while self._heard.qsize() >= MAX_HEARD:
            self._emitted.clear()
            await self._emitted.wait()
        self._reading = True
        self._conversation.on_resumed(self._loop.time())
        self._stirred.set()

    async def _emit_heard(self) -> None:
        while (message := await self._heard.get()) is not None:
            await self._ctx.emit(message)
            self._emitted.set()

    async def _run_timers(self) -> None:
        while True:
            now = self._loop.time()
            if self._reading:  # else an answer may lie unread
                self._perform(self._conversation.on_timer(now))
            else:
                self._flush()
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with timeouts.timeout_at(self._next_deadline()):
                    await self._stirred.wait()

    def _next_deadline(self) -> float | None:
        now = self._loop.time()
        wait = self._outgoing.delay(now)
        deadlines = [] if wait is None else [now + wait]
        if self._reading and self._conversation.due is not None:
            deadlines.append(self._conversation.due)
        return min(deadlines, default=None)

    def _perform(self, outputs: Iterable[Output]) -> None:
        """Perform the outputs of the conversation."""
        for output in outputs:
            match output:
                case SendLine():
                    self._outgoing.put(output.line, urgent=output.urgent)
                case Heard():
                    message = to_inbound(output, lambda: next(self._ids), _now_ms())
                    self._heard.put_nowait(message)
                case Typing():
                    self._heard.put_nowait(to_happened(output, _now_ms()))
                case Registered():
                    # Servers count the lines of a registered client, not those of its registration.
                    self._outgoing.set_bucket(self._full_bucket())
                    self._ctx.status(connected=True, last_connected_at=_now_ms())
                    if self._config.sasl is not None:
                        self._report_linked(True)  # the server refuses the registration otherwise
                case AccountReady():
                    self._ctx.ready()
                case StatusChanged():
                    self._report_state()
                case PongReceived():
                    self._deliveries.on_pong(output.token)
                case Undelivered():
                    self._refuse(output)
                case Warned():
                    self._ctx.log.warning(output.text)
                case _:
                    assert_never(output)
        self._flush()

    def _full_bucket(self) -> TokenBucket:
        return TokenBucket(self._config.flood_burst, self._config.flood_rate, self._loop.time())

    def _report_state(self) -> None:
        detail = self._conversation.summary()
        self._ctx.status(detail=detail, last_transport_activity_at=_now_ms())
        self._report_linked(self._conversation.identity.logged_in)

    def _report_linked(self, linked: bool | None) -> None:
        """Report whether the account is logged in to the services, when that is known and new."""
        if linked is not None and linked is not self._linked:
            self._linked = linked
            self._ctx.status(linked=linked, **({"authenticated_at": _now_ms()} if linked else {}))

    def _refuse(self, refused: Undelivered) -> None:
        if not self._deliveries.refuse(refused.targets, refused.text):
            target = " ".join(refused.targets)
            self._ctx.log.warning("the server refused", target=target, text=refused.text)

    def _flush(self) -> None:
        """Write the lines that may be written now, and a fence when no others wait."""
        self._write_due()
        if not self._outgoing:
            self._fence()
        self._stirred.set()

    def _fence(self) -> None:
        """Ask the server for its answer to the messages written so far, if any is open."""
        if self._writer is not None and (token := self._deliveries.fence()) is not None:
            self._outgoing.put(line("PING", token), urgent=True)
            self._write_due()

    def _write_due(self) -> None:
        if self._writer is None:
            return
        for text, delivery in self._outgoing.pop(self._loop.time()):
            self._writer.write(text.encode() + b"\r\n")
            if delivery is not None:
                delivery.count_line()
                if delivery.whole:
                    self._loop.call_later(FENCE_SECONDS, self._fence)

    async def _quit(self, reader: asyncio.StreamReader) -> None:
        """Send QUIT, and read what still comes, such as the answers to the last messages."""
        assert self._writer is not None
        self._fence()
        with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
            async with timeouts.timeout(QUIT_SECONDS):
                self._writer.write(line("QUIT", self._config.quit_message).encode() + b"\r\n")
                while data := await reader.read(READ_BYTES):
                    self._receive_last(data)

    def _receive_last(self, data: bytes) -> None:
        """Handle messages, and answers to ours, that come after QUIT; ignore everything else."""
        for got in self._lines(data):
            with contextlib.suppress(ChannelError):  # the goodbye is an ERROR
                outputs = self._conversation.receive(got, self._loop.time())
                self._perform(one for one in outputs if isinstance(one, _LAST))

    async def _emit_waiting(self, emitting: asyncio.Task[None]) -> None:
        """Emit the waiting messages; log how many the worker does not accept in time."""
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(HANDOVER_SECONDS):
                if not emitting.done():
                    self._heard.put_nowait(None)
                    await asyncio.wait({emitting})
        if not emitting.done():
            emitting.cancel()
            await asyncio.wait({emitting})
            waiting = [self._heard.get_nowait() for _ in range(self._heard.qsize())]
            lost = 1 + sum(message is not None for message in waiting)
            self._ctx.log.warning("messages not emitted", messages=lost)
        elif (error := emitting.exception()) is not None:
            self._ctx.log.warning("messages not emitted", error=repr(error))

    async def _hang_up(self) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError):
            async with timeouts.timeout(QUIT_SECONDS):
                await writer.wait_closed()
        self._ctx.status(connected=False, last_disconnect_at=_now_ms())


async def _failure_of(task: asyncio.Task[None]) -> None:
    """Wait for a task that another object owns, and raise its exception."""
    await asyncio.wait({task})
    task.result()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
