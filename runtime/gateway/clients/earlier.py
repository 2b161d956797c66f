"""Reads the messages that a killed gateway exchanged with a client whose connection continues.
Pure.

The next gateway continues with the same nonce, connection id and numbers of events, sends nothing
again that the client has, and carries out nothing twice that must not be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

import msgspec
from msgspec import UNSET

from ipc.frames.websocket import Event, Response, decode_from_server
from ipc.websocket.resumption import Resume
from runtime.gateway.clients.method_table import Repeat


class _Challenge(msgspec.Struct):
    nonce: str


class _HelloServer(msgspec.Struct, rename="camel"):
    conn_id: str


class _Hello(msgspec.Struct):
    server: _HelloServer


class EarlierTalk(msgspec.Struct, frozen=True):
    """The messages of a connection before this gateway took it over.

    ``nonce`` is that of the challenge, ``connection_id`` that of the hello; ``refused``: the answer
    to ``connect`` was an error. ``seq`` is the number of the last event. ``requests`` have come
    behind ``connect``, those with the ids ``answered`` have their answer.
    """

    nonce: str | None = None
    connection_id: str | None = None
    refused: bool = False
    seq: int = 0
    requests: int = 0
    answered: tuple[str | int, ...] = ()


def read_earlier(resumed: Resume) -> EarlierTalk:
    """Parse the earlier messages of a resumed connection."""
    nonce = connection_id = None
    refused, seq = False, 0
    answers: list[Response] = []
    for text in resumed.said:
        frame = decode_from_server(text)
        if isinstance(frame, Response):
            answers.append(frame)
        else:
            seq = frame.seq if frame.seq is not UNSET else seq
            nonce = nonce or _nonce_of(frame)
    if answers:  # the first is that to ``connect``
        refused = not answers[0].ok
        if not refused and answers[0].payload is not UNSET:
            connection_id = msgspec.json.decode(answers[0].payload, type=_Hello).server.conn_id
    ids = tuple(each.id for each in answers[1:])
    requests = max(resumed.messages - 1, 0)
    return EarlierTalk(nonce, connection_id, refused, seq, requests, ids)


def _nonce_of(event: Event) -> str | None:
    if event.event != "connect.challenge" or event.payload is UNSET:
        return None
    return msgspec.json.decode(event.payload, type=_Challenge).nonce


def may_repeat(repeat: Repeat, params: Any) -> bool:
    """Return whether a request may be executed again that may have been executed before.

    ``params`` are its checked params; what has a key has no second effect with the same one.
    """
    if repeat is Repeat.WITH_KEY:
        return bool(getattr(params, "idempotency_key", None))
    return repeat is Repeat.ALWAYS


class Standing(Enum):
    """Whether a request that is read again has its answer.

    ``UNKNOWN``: another with the same id has one, and it may be that of either.
    """

    ANSWERED = auto()
    UNANSWERED = auto()
    UNKNOWN = auto()


def standings(asked: Sequence[str | int], answered: Sequence[str | int]) -> list[Standing]:
    """Return the standing of each request, by the ids of all of them and of the answers.

    As many count as answered as there are answers: each request gets one in all.
    """
    left = Counter(answered)
    found = []
    for each in asked:
        if left[each]:
            left[each] -= 1
            found.append(Standing.ANSWERED)
        else:
            found.append(Standing.UNKNOWN if each in left else Standing.UNANSWERED)
    return found
