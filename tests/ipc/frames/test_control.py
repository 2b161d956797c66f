"""The control link's frames: what comes back, and what is refused with a reason."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.errors import FrameError
from ipc.frames import control
from ipc.frames.control import (
    Beat,
    BeatInterval,
    ControlHello,
    Drain,
    LoginAnswer,
    LoginAsked,
    LoginOver,
    LoginTaken,
    Ping,
    Pong,
    StatusPatch,
    Weigh,
    Weighed,
    WorkerReady,
    WorkerWaits,
)

pack = msgspec.msgpack.encode
BEAT: list[Any] = [3, 0.1, 1, 0.5, 10, 0, 0, 5, 4, 3, 2, {"late": 1}, 8192, "no room"]


def beat(**changed: Any) -> bytes:
    fields = dict(zip(Beat.__struct_fields__, BEAT[1:], strict=True)) | changed
    return pack([[3, *fields.values()]])


def test_every_control_frame_survives_encoding_and_decoding() -> None:
    frames = [
        ControlHello("irc:libera", 3, "token", 4711),
        WorkerReady(),
        Beat(0.1, 1, 0.5, 10, 0, 0, 5, 4, 3, 2, {"late": 1}),
        Beat(0.1, 1, 0.5, 10, 0, 0, 5, 4, 3, 2, {}, 8192, "no room"),
        StatusPatch({"connected": True, "detail": {"servers": ["a", 1, 1.5, None]}}),
        Pong(7),
        Weighed(123 << 20),
        WorkerWaits("it waits for the gateway"),
        LoginAsked(1, "qr", "2@abc", "Linked devices", expires=20.0),
        LoginOver(),
        LoginTaken(1, "not this one"),
    ]
    assert control.decode_from_worker(control.encode(frames)) == frames
    orders = [Ping(7), Drain(), BeatInterval(0.5), Weigh(), LoginAnswer(1, "secret")]
    assert control.decode_from_supervisor(control.encode(orders)) == orders


@given(st.binary())
def test_anything_is_frames_or_a_typed_error(body: bytes) -> None:
    for decode in (control.decode_from_worker, control.decode_from_supervisor):
        with suppress(FrameError):
            decode(body)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


REFUSED: dict[str, bytes] = {
    "empty": b"",
    "no list": pack(1),
    "unknown kind": pack([[99]]),
    "too few fields": pack([[1, "a:b"]]),
    "too many frames": pack([[2]] * 65),
    "too large": bytes(control.MAX_BODY_BYTES + 1),
    "a pid of nobody": pack([[1, "a:b", 1, "t", 0]]),
    "a negative incarnation": pack([[1, "a:b", -1, "t", 1]]),
    "lag is not a number": beat(lag=float("nan")),
    "lag without end": beat(lag=float("inf")),
    "lag below zero": beat(lag=-1.0),
    "memory as text": beat(rss_bytes="1"),
    "a count below zero": beat(dropped={"late": -1}),
    "too many reasons": beat(dropped={str(number): 1 for number in range(257)}),
    "a reason too long": beat(dropped={"x" * 129: 1}),
    "a patch that is no object": pack([[4, 1]]),
    "a patch too deep": pack([[4, deep(9)]]),
    "a patch deeper than the stack": pack([[4, deep(400)]]),
    "a patch with bytes": pack([[4, {"detail": b"x"}]]),
    "a patch with a number that is none": pack([[4, {"detail": [float("nan")]}]]),
    "a patch with a key that is no text": pack([[4, {"detail": {1: 2}}]]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_body_of_a_worker_is_refused(case: str) -> None:
    with pytest.raises(FrameError):
        control.decode_from_worker(REFUSED[case])


def test_a_patch_may_be_this_deep() -> None:
    assert control.decode_from_worker(pack([[4, deep(8)]])) == [StatusPatch(deep(8))]


@pytest.mark.parametrize("body", [b"", pack([[1, -1]]), pack([[9, 1]]), bytes(100_000)])
def test_a_bad_body_of_the_supervisor_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        control.decode_from_supervisor(body)
