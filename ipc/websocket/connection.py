"""Reads one WebSocket connection; with ``sending`` the hot path of every client.

The ``websockets`` library keeps the handshake, the closing handshake and everything unusual. A
complete, masked text or binary frame, which is nearly all there is, is parsed here and handed on
synchronously: no queue, no future, no task (7 times less CPU per request than the library's
``recv``). So are pings and pongs. The library takes 25 µs for each frame, and one read brings up to
40,000 empty ones: a client that sends many of them, which no client needs, is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any

from websockets.datastructures import Headers
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request
from websockets.protocol import CLOSING, OPEN, Event

from ipc.websocket.demux import DemuxConnection
from ipc.websocket.long_messages import (
    LONG_HEADER_BYTES,
    LONG_MESSAGE_BYTES,
    LongFrame,
    MessageRules,
    PartialMessage,
    apply_mask,
)
from ipc.websocket.sending import FIN_TEXT, SendingConnection

CLOSE_SECONDS = 1.0  # between our close frame and the end of the socket
MAX_UNWRITTEN = 32  # answers; a client that asks more at once can deal with these meanwhile
MAX_EARLY = 15  # messages sent before the handshake is answered
MAX_REASON_BYTES = 123  # RFC 6455 section 5.5: a control frame carries 125 bytes
MAX_SHORT = 500  # control frames and short fragments of one client in a second
_FIN_BINARY, _FIN_PING, _FIN_PONG = 0x82, 0x89, 0x8A
_PING = bytes((_FIN_PING, 0))
_CLOSE = 8  # opcode
_MASKED = 0x80  # bit of a frame's second byte; the others are its length
_SHORT = _MASKED | 125  # longer ones have more bytes of length

_ANSWERED = Request("/", Headers())  # without one the library would wait for it

_log = logging.getLogger(__name__)


class Connection(SendingConnection):
    """The server's end of a WebSocket. Test ``open``, not the library's ``state``.

    ``receive`` is called with the bytes of each message; ``max_bytes`` limits one message, and
    ``rules`` a long one; ``data`` is the application's to use. ``after_read`` is called once all
    that one read of the socket has brought is handed on and answered, with the seconds since
    ``read_at`` (perf_counter).
    """

    __slots__ = (
        "_common_bytes",
        "_deadline",
        "_early",
        "_first",
        "_fragments",
        "_long",
        "_needed",
        "_pinged",
        "_plain",
        "_read",
        "_short",
        "_short_since",
        "_tail",
        "after_read",
        "alive",
        "authenticated",
        "data",
        "max_bytes",
        "read_at",
        "receive",
        "rules",
    )

    receive: Callable[[bytes], None]
    after_read: Callable[[float], None] | None
    max_bytes: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.data: Any = None
        self.authenticated = False
        self.alive = True  # something was received since the last ping
        self.read_at = 0.0
        self.after_read = None
        self.max_bytes = self.owner.limits.preauth_bytes
        self.rules: MessageRules | None = None
        self._common_bytes = min(self.max_bytes, LONG_MESSAGE_BYTES)
        self._tail = bytearray()  # of a frame that is not complete yet
        self._needed = 0  # how long the tail must be before it is worth looking again
        self._fragments: PartialMessage | None = None
        self._long: LongFrame | None = None
        self._plain = False  # the connection is open, and no message in fragments is under way
        self._pinged: bytes | None = None  # the last ping that is not answered yet
        self._short = 0  # frames that are no whole message, since ``_short_since``
        self._short_since = 0.0
        # What reads in the place of ``_parse``: a long frame, or the library once one was broken.
        self._read: Callable[[bytes], None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._early: list[bytes] = []
        self.receive = self._add_early

    def start(self, receive: Callable[[bytes], None], seconds: float) -> None:
        """Receive messages after the handshake; ``admit`` must follow within ``seconds``."""
        self.receive = receive
        self._refresh_state()
        self._timer = self.loop.call_later(seconds, self.close, 1000)

    def replay(self) -> None:
        """Call ``receive`` with the messages that came before it was set."""
        early, self._early = self._early, []
        for payload in early:
            self.receive(payload)

    def cut_off(self) -> None:
        """Close the connection, because its client does not read; drop what it was to be sent."""
        self.owner.unread.on_cut_off(self)
        self.drop_output()
        self.close(1008, "slow consumer")

    def close(  # type: ignore[override]  # acts at once; the library's is a coroutine
        self, code: int = 1000, reason: str = ""
    ) -> asyncio.Future[None]:
        """Send a close frame after what is queued; the socket ends within ``CLOSE_SECONDS``.

        Awaiting what it returns is optional, and waits for the end of the socket.
        """
        if self.open:
            self.write_out()
        if self.open:  # unless it was closed just now, for not reading
            self._flush_held(all=True)
            text = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
            self.protocol.send_close(code, text)
            self._refresh_state()
            self.send_data()
            self._expect_end()
        return asyncio.shield(self.connection_lost_waiter)

    def admit(self, max_bytes: int) -> None:
        """Mark the client as authenticated: no deadline any more, larger messages, pings."""
        self.authenticated = True
        self.limit_messages(max_bytes)
        self._stop_timer()
        self.owner.release_socket(self)
        self._forget_handshake()

    def limit_messages(self, max_bytes: int) -> None:
        """Set the largest size of messages."""
        self.max_bytes = self.protocol.max_message_size = max_bytes
        self._common_bytes = min(max_bytes, LONG_MESSAGE_BYTES)

    def limit_handshake(self, seconds: float) -> None:
        """Replace the deadline for ``admit`` that ``start`` has set."""
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.close, 1000)

    def _forget_handshake(self) -> None:
        """Free the handshake's headers (4 KiB), which the library's connection and parser hold."""
        self.request, self.response = _ANSWERED, None
        self.protocol.parser = self.protocol.parse()  # one that begins after the handshake
        next(self.protocol.parser)

    def check_alive(self) -> None:
        """Send a ping; abort the connection if nothing arrived since the last one."""
        if not self.alive:
            self.abort()
        elif self.open:
            self.alive = False
            self.transport.write(_PING)

    def data_received(self, data: bytes) -> None:
        """Handle every complete message in ``data``, then write all answers at once."""
        if self._head is not None:
            super().data_received(data)
            return
        self.read_at = perf_counter()
        self.owner.received_bytes += len(data)
        self.alive = self._reading = True
        self._spared = not self.paused  # it cannot read the answers while we read its questions
        try:
            if self._read is not None:
                self._read(data)
            elif self._tail:
                self._continue(data)
            else:
                self._parse(data)
        except Exception:  # noqa: BLE001 - a fault in one message must not end the process
            _log.exception("connection failed")
            self.close(1011, "internal error")
        self._reading = False
        if self._pinged is not None:
            self._answer_ping(self._pinged)
        if self._out:
            self.write_out()
        self._spared = False
        if self.after_read is not None:
            self.after_read(perf_counter() - self.read_at)

    def _continue(self, data: bytes) -> None:
        self._tail += data
        if len(self._tail) >= self._needed:
            data, self._tail = bytes(self._tail), bytearray()
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        position, end = 0, len(data)
        while end - position >= 2:
            first, second = data[position], data[position + 1]
            if _MASKED <= second <= _SHORT:  # as nearly all are
                start = position + 6
                stop = start + second - _MASKED
            else:
                start = position + (8 if second & 0x7F == 126 else 14)
                length = 0
                if second & _MASKED and start <= end:
                    if start == position + 8:  # of most requests with params; half the time
                        length = data[position + 2] << 8 | data[position + 3]
                    else:
                        length = int.from_bytes(data[position + 2 : start - 4], "big")
                if not second & _MASKED or length > self._common_bytes:
                    self._begin_long(data[position:], length)
                    return
                stop = start + length
            if stop > end:
                break
            if FIN_TEXT <= first <= _FIN_BINARY and self._plain:
                payload = apply_mask(data[start:stop], data[start - 4 : start])
                if payload.isascii():
                    self.receive(payload)
                else:
                    self._deliver(first, payload)
                if len(self._out) >= MAX_UNWRITTEN and not self.paused:
                    self.write_out()
            else:
                self._on_rare(data[position:stop])
                if self._read is not None:
                    return
            position = stop
        if position < end:
            self._store_partial(data, position)

    def _on_rare(self, frame: bytes) -> None:
        """Handle a short frame that is no whole message.

        Of the pings of one read the last is answered, as RFC 6455 (section 5.5.3) allows; pongs are
        dropped, and so is what comes after our close frame, except for the client's own.
        """
        if frame[1] <= _SHORT and self._is_flood():
            return
        first, state = frame[0], self.protocol.state
        if state is OPEN and first in (_FIN_PING, _FIN_PONG) and frame[1] <= _SHORT:
            if first == _FIN_PING:
                self._pinged = frame
        elif state is not CLOSING or first & 0x0F == _CLOSE:
            self._delegate(frame)

    def _is_flood(self) -> bool:
        """Count a short frame that is no whole message; close the connection at too many."""
        self._short += 1
        if self._short <= MAX_SHORT:
            return False
        if self.read_at - self._short_since > 1.0:
            self._short, self._short_since = 1, self.read_at
            return False
        self.close(1008, "too many control frames")
        self._read = self._discard
        return True

    def _discard(self, data: bytes) -> None:
        """Drop what comes between the close frame of a flooded connection and its end."""

    def _answer_ping(self, frame: bytes) -> None:
        self._pinged = None
        if not self.open:
            return
        pong = bytes((_FIN_PONG, frame[1] & 0x7F)) + apply_mask(frame[6:], frame[2:6])
        self.transport.write(pong)
        if self.paused and not self.close_if_slow():
            self.owner.unread.on_growth(len(pong))

    def _begin_long(self, data: bytes, length: int) -> None:
        """Read a frame that is longer than most; refuse a fragment that is, and a broken frame."""
        whole = self._plain and FIN_TEXT <= data[0] <= _FIN_BINARY
        if whole and data[1] & _MASKED and length <= self.max_bytes:
            self._long = LongFrame(data[:LONG_HEADER_BYTES], self.rules)
            self._read = self._continue_long
            self._continue_long(data[LONG_HEADER_BYTES:])
        else:
            self._refuse(data, length)

    def _continue_long(self, data: bytes) -> None:
        assert self._long is not None
        rest = self._long.add(data)
        if self._long.left:
            return
        long, self._long, self._read = self._long, None, None
        # After our close frame no answer is sent, so nothing is carried out.
        if self._plain and (payload := long.message.release()) is not None:
            self._deliver(long.first, payload)
        self._parse(rest)

    def _refuse(self, data: bytes, length: int) -> None:
        """Close with 1009, or 1002 for a frame without mask; the rest is read and dropped."""
        self._read = self._delegate
        self.write_out()
        self._flush_held(all=True)
        if length > self._common_bytes:
            self.protocol.fail(1009)
        self._delegate(data)

    def _store_partial(self, data: bytes, position: int) -> None:
        """Store the beginning of a frame, and the number of bytes needed to continue."""
        self._tail = bytearray(data[position:])
        self._needed = 2
        if len(self._tail) < 2:
            return
        length = self._tail[1] & 0x7F
        header = 6 if length < 126 else 8 if length == 126 else 14
        if length > 125:
            if len(self._tail) < header:
                self._needed = header
                return
            length = int.from_bytes(self._tail[2 : header - 4], "big")
        self._needed = header + length

    def _deliver(self, first: int, payload: bytes) -> None:
        if first == FIN_TEXT and not payload.isascii():
            try:
                str(payload, "utf-8")
            except UnicodeDecodeError:
                self.close(1007, "invalid UTF-8")
                return
        self.receive(payload)

    def _add_early(self, payload: bytes) -> None:
        self._early.append(payload)
        if len(self._early) > MAX_EARLY:
            self.abort()

    def _delegate(self, data: bytes) -> None:
        """Pass whole frames that are not the common case to the library.

        What it may write, a close frame say, must come after what has been answered so far.
        """
        self.write_out()
        if data[0] & 0x0F == _CLOSE:
            self._flush_held(all=True)
        super(DemuxConnection, self).data_received(data)
        self._refresh_state()
        if self.protocol.close_expected():
            self._expect_end()

    def _refresh_state(self) -> None:
        self._plain = self._fragments is None and self.protocol.state is OPEN

    def process_event(self, event: Event) -> None:
        """Handle an event of the library: the request, or a fragment."""
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            self._assemble(event)
        else:
            super().process_event(event)

    def _assemble(self, event: Frame) -> None:
        if self.protocol.state is CLOSING:
            return  # after our close frame no answer is sent, so nothing is carried out
        if self._fragments is None:
            self._fragments = PartialMessage(self.rules)
            self._first = 0x80 | event.opcode
        self._fragments.add(bytes(event.data))
        if event.fin:
            whole, self._fragments = self._fragments.release(), None
            if whole is not None:
                self._deliver(self._first, whole)

    def _expect_end(self) -> None:
        if self._deadline is None and not self._raw.is_closing():
            self._deadline = self.loop.call_later(CLOSE_SECONDS, self._raw.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop everything that waits."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._read = self._long = None
        self.drop_output()
        self.owner.on_caught_up(self)
        super().connection_lost(exc)
