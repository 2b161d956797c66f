"""What becomes of a connection whose process was killed: a row for each case."""

from __future__ import annotations

import pytest
from websockets.frames import Opcode

from ipc.websocket.resumption import (
    MAX_SECONDS,
    MAX_TAKEN,
    Drop,
    Finish,
    Notes,
    Resume,
    Resumption,
    SocketFacts,
    decide,
)
from ipc.websocket.sending import frame
from tests.support.echo_server import UPGRADE, text_frame

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
HELLO = b'{"type":"res"}'
LONG = b"x" * 70_000
ASK = text_frame(b"ask")
CLOSED = b"\x88\x02\x03\xe8"
GONE = Drop("gone")
UNKNOWN = Drop("unnoted")


def resume(
    received: bytes = b"",
    sent: bytes = b"",
    *said: bytes,
    rest: bytes = b"",
    messages: int = 0,
) -> tuple[bytes, bytes, int, Resume]:
    """Return notes, how much of what was sent has left, and the verdict."""
    verdict = Resume(rest, received, bool(sent), said, messages)
    return received, sent, len(sent) - len(rest), verdict


@pytest.mark.parametrize(
    ("received", "sent", "written", "verdict"),
    [
        resume(),
        resume(UPGRADE[:30]),
        resume(UPGRADE),
        resume(UPGRADE, SWITCHED),
        resume(UPGRADE, SWITCHED, rest=SWITCHED),
        resume(UPGRADE, SWITCHED, rest=SWITCHED[9:]),
        resume(UPGRADE, SWITCHED + frame(b"hi"), b"hi", rest=frame(b"hi")),
        resume(UPGRADE, SWITCHED + frame(b"hi"), b"hi", rest=frame(b"hi")[3:]),
        resume(UPGRADE + ASK[:-1], SWITCHED),
        resume(UPGRADE + ASK, SWITCHED, messages=1),
        resume(UPGRADE + ASK + ASK[:1], SWITCHED + frame(HELLO), HELLO, messages=1),
        resume(UPGRADE + ASK + ASK, SWITCHED + frame(HELLO) * 2, HELLO, HELLO, messages=2),
        resume(UPGRADE + text_frame(LONG) + ASK[:5], SWITCHED, messages=1),
        resume(UPGRADE, SWITCHED + frame(LONG) + frame(HELLO), LONG, HELLO),
        resume(UPGRADE + text_frame(b"a", fin=False), SWITCHED),
        resume(
            UPGRADE + text_frame(b"a", fin=False) + text_frame(b"b", Opcode.CONT),
            SWITCHED,
            messages=1,
        ),
        resume(UPGRADE + text_frame(b"!", Opcode.PING) + ASK, SWITCHED + b"\x8a\x01!", messages=1),
        (UPGRADE, REFUSED, 0, Finish(REFUSED)),
        (UPGRADE, REFUSED, 9, Finish(REFUSED[9:])),
        (UPGRADE, SWITCHED + frame(HELLO) + CLOSED, len(SWITCHED), Finish(frame(HELLO) + CLOSED)),
        (UPGRADE + text_frame(b"", Opcode.CLOSE), SWITCHED, len(SWITCHED), GONE),
        (UPGRADE, SWITCHED, len(SWITCHED) + 1, UNKNOWN),
    ],
)
def test_notes_to_which_the_kernel_agrees(
    received: bytes, sent: bytes, written: int, verdict: Resumption
) -> None:
    facts = SocketFacts(open=True, read=len(received), written=written)
    assert decide(facts, Notes(received, sent, 1.0, 0)) == verdict


@pytest.mark.parametrize(
    ("facts", "age", "taken", "verdict"),
    [
        (SocketFacts(True, 5, 0), MAX_SECONDS, MAX_TAKEN - 1, Resume(b"", b"GET /", False, (), 0)),
        (SocketFacts(False, 5, 0), 1.0, 0, GONE),
        (SocketFacts(True, 6, 0), 1.0, 0, UNKNOWN),  # read, and not noted
        (SocketFacts(True, 4, 0), 1.0, 0, UNKNOWN),
        (SocketFacts(True, 5, 1), 1.0, 0, UNKNOWN),
        (SocketFacts(True, 5, 0), MAX_SECONDS + 0.1, 0, Drop("old")),
        (SocketFacts(True, 5, 0), 1.0, MAX_TAKEN, Drop("takenOften")),
    ],
)
def test_facts_of_the_kernel(
    facts: SocketFacts, age: float, taken: int, verdict: Resumption
) -> None:
    assert decide(facts, Notes(b"GET /", b"", age, taken)) == verdict
