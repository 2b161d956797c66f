"""Encodes the payloads of the events ``channel.message`` and ``channel.event``. Pure.

Constant parts are encoded once per incarnation; each message is encoded once and spliced in. The
result equals the JSON of ``workers.messages.MessageEvent`` or ``ChannelEvent``; a test compares
them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.errors import FrameError
from ipc.frames.data import MAX_CURSOR_BYTES, MAX_PAYLOAD_BYTES, check_payload
from workers.links.backlog import MARK
from workers.messages import MAX_TEXT, Happened, Inbound, Outbound, Sent, SentMessage

LIMIT_BYTES = MAX_PAYLOAD_BYTES - len(MARK)  # the backlog may add the mark later

MAX_HAPPENED_BYTES = 64 * 1024

_ESCAPE, _NUL = 0x5C, b"\\u0000"  # in JSON; to find one byte takes a fraction of the time of six

_encode = msgspec.json.Encoder().encode


class EventEncoder:
    """Encodes the payloads of one incarnation of the account ``key``."""

    __slots__ = ("_event", "_in", "_out")

    def __init__(self, key: str, incarnation: int) -> None:
        channel, _, account = key.partition(":")
        head = _encode({"account": key, "channel": channel, "accountId": account})[:-1]
        self._event = head + b',"cursor":"%d:' % incarnation
        self._in = head + b',"direction":"in","cursor":"%d:' % incarnation
        self._out = head + b',"direction":"out","cursor":"%d:' % incarnation

    def inbound(self, seq: int, body: bytes) -> bytes:
        """Return the payload of a message that ``body_of`` has encoded, with the number ``seq``."""
        return b'%b%d","message":%b}' % (self._in, seq, body)

    def happened(self, seq: int, body: bytes) -> bytes:
        """Return the payload of what ``happened_body`` has encoded, with the number ``seq``."""
        return b'%b%d","happened":%b}' % (self._event, seq, body)

    def outbound(self, seq: int, message: Outbound, sent: Sent) -> bytes:
        """Return the payload for ``message``, which the platform accepted as ``sent``."""
        body = _encode(
            SentMessage(
                id=sent.id,
                to=message.to,
                text=message.text,
                ts=sent.ts,
                key=message.key,
                thread=message.thread,
                reply_to=message.reply_to,
                attachments=message.attachments,
            )
        )
        return b'%b%d","message":%b}' % (self._out, seq, body)


def happened_body(happened: Happened) -> bytes:
    """Return an event as JSON text; raises ``ValueError`` if it is too large."""
    body = _encode(_valid(msgspec.to_builtins(happened)))
    if len(body) > MAX_HAPPENED_BYTES:
        raise ValueError(f"an event of {len(body)} bytes, at most {MAX_HAPPENED_BYTES} are taken")
    return body


def body_of(message: Inbound) -> bytes:
    """Return a message as JSON text.

    Raises ``ValueError`` when it is too large or nested too deep, ``TypeError`` when it cannot
    be JSON.
    """
    # Not a function of its own, for each message goes through here.
    try:
        body = _encode(message)
    except UnicodeEncodeError:
        body = _encode(_valid(msgspec.to_builtins(message)))
    if body.find(_ESCAPE) >= 0 and _NUL in body:
        body = _encode(_valid(msgspec.to_builtins(message)))
    # A body is longer than its text: one of so many bytes needs no second look.
    if len(body) > MAX_TEXT and (len(message.text) > MAX_TEXT or len(body) > LIMIT_BYTES - 512):
        raise ValueError(f"a message of {len(body)} bytes is too large")
    if message.meta:  # all else is typed; the gateway relies on the payload being JSON
        try:
            check_payload(body)
        except FrameError as error:
            raise ValueError(error.reason) from None
    return body


def cursor_text(cursor: Any) -> bytes:
    """Return a cursor as JSON text.

    Raises ``ValueError`` for one beyond 64 KiB or nested too deep, ``TypeError`` for one that
    cannot be JSON.
    """
    try:
        text = _encode(cursor)
        check_payload(text)
    except UnicodeEncodeError:
        raise ValueError("a cursor is JSON, which holds no lone surrogates") from None
    except FrameError as error:
        raise ValueError(f"cursor: {error.reason}") from None
    if len(text) > MAX_CURSOR_BYTES:
        raise ValueError(f"a cursor of {len(text)} bytes, at most {MAX_CURSOR_BYTES} are kept")
    return text


def _valid(value: Any) -> Any:
    """Return ``value`` without lone surrogates and NUL characters, which platforms send.

    JSON cannot carry the former, and no id may have the latter (``workers.messages.Id``).
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_valid(name): _valid(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_valid(each) for each in value]
    return value
