"""Requests, responses and events: every frame out comes back, every bad one is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from ipc.errors import FrameError, MalformedJson, RemoteError
from ipc.frames import websocket
from ipc.frames.websocket import (
    MAX_WAIT_MS,
    ErrorShape,
    Event,
    Request,
    Response,
    StateVersion,
    error_of,
    shape_of,
)
from ipc.nesting import MAX_DEPTH, is_shallow

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=40,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def request(params: bytes, id: str = "1") -> bytes:
    return b'{"type":"req","id":"%b","method":"m","params":%b}' % (id.encode(), params)


@given(st.text(min_size=1, max_size=256), st.text(min_size=1, max_size=128), trees)
def test_a_request_survives_encoding_and_decoding(id: str, method: str, params: Any) -> None:
    sent = Request(id, method, Raw(msgspec.json.encode(params)))
    got = websocket.decode_request(websocket.encode(sent))
    assert (got.id, got.method) == (id, method)
    assert isinstance(got.params, Raw)
    assert msgspec.json.decode(got.params) == params


@given(st.text(min_size=1, max_size=256) | st.integers(-(2**63), 2**63 - 1), trees)
def test_a_response_survives_encoding_and_decoding(id: str | int, payload: Any) -> None:
    got = websocket.decode_from_server(websocket.response(id, payload))
    assert isinstance(got, Response)
    assert (got.id, got.ok, got.error) == (id, True, UNSET)
    assert isinstance(got.payload, Raw)
    assert msgspec.json.decode(got.payload) == payload


@given(st.text(min_size=1, max_size=128), trees, st.none() | st.integers(0, 2**53))
def test_an_event_survives_encoding_and_decoding(name: str, payload: Any, seq: int | None) -> None:
    got = websocket.decode_from_server(websocket.event(name, payload, seq))
    assert isinstance(got, Event)
    assert (got.event, got.seq) == (name, UNSET if seq is None else seq)
    assert isinstance(got.payload, Raw)
    assert msgspec.json.decode(got.payload) == payload


@given(st.text(), trees, st.integers(1, 2**53), st.sampled_from([None, StateVersion(1, 2)]))
@example('":null', None, 1, None)
def test_an_event_in_pieces_is_the_same_text(
    name: str, payload: Any, seq: int, version: StateVersion | None
) -> None:
    body = websocket.encode(payload)
    pieces = websocket.event_pieces(name, body, seq, version)
    assert pieces[1] is body
    assert b"".join(pieces) == websocket.event(name, payload, seq, version)


def test_keys_have_the_order_of_the_protocol_and_absent_ones_are_left_out() -> None:
    assert websocket.event("tick") == b'{"type":"event","event":"tick"}'
    assert websocket.event("health", {"ok": True}, 3, StateVersion(1, 2)) == (
        b'{"type":"event","event":"health","payload":{"ok":true},"seq":3,'
        b'"stateVersion":{"presence":1,"health":2}}'
    )
    assert websocket.response("7", Raw(b'{"a": 1}')) == (
        b'{"type":"res","id":"7","ok":true,"payload":{"a": 1}}'
    )
    assert websocket.response(7) == b'{"type":"res","id":7,"ok":true}'
    assert websocket.error_response("7", ErrorShape("UNAVAILABLE", "busy", retry_after_ms=5)) == (
        b'{"type":"res","id":"7","ok":false,'
        b'"error":{"code":"UNAVAILABLE","message":"busy","retryAfterMs":5}}'
    )
    assert websocket.encode(Request("1", "health")) == b'{"type":"req","id":"1","method":"health"}'


def test_null_is_a_payload() -> None:
    """``last-heartbeat`` answers null; that is not the same as no payload."""
    assert websocket.response("1", None) == b'{"type":"res","id":"1","ok":true,"payload":null}'


REFUSED: dict[bytes, tuple[str, str | int | None]] = {
    b"[]": ("at root: must be object", None),
    b"3": ("at root: must be object", None),
    b"null": ("at root: must be object", None),
    b'"req"': ("at root: must be object", None),
    b"{}": ("must have required property 'id'", None),
    b'{"type":"event","event":"x"}': ("at /type: must be equal to one of the allowed values", None),
    b'{"type":"req","id":"1"}': ("must have required property 'method'", "1"),
    b'{"type":"req","id":5,"method":"m"}': ("at /id: must be string", 5),
    b'{"type":"req","id":true,"method":"m"}': ("at /id: must be string", None),
    b'{"type":"req","id":"","method":"m"}': ("at /id: must NOT have fewer than 1 characters", None),
    b'{"type":"req","id":"%b","method":"m"}' % (b"x" * 257): (
        "at /id: must NOT have more than 256 characters",
        None,
    ),
    b'{"type":"req","id":"1","method":""}': (
        "at /method: must NOT have fewer than 1 characters",
        "1",
    ),
    b'{"type":"req","id":"1","method":"%b"}' % (b"x" * 129): (
        "at /method: must NOT have more than 128 characters",
        "1",
    ),
    b'{"type":"req","id":"1","method":"m","x":1}': ("at root: unexpected property 'x'", "1"),
    b'{"type":"req","id":"1","method":"m","traceparent":"%b"}' % (b"x" * 129): (
        "at /traceparent: must NOT have more than 128 characters",
        "1",
    ),
    request(b"[" * 64 + b"]" * 64): ("nested deeper than 64", "1"),
    request(b'{"a":' * 500 + b"1" + b"}" * 500): ("nested deeper than 64", "1"),
    request(b"[" * 100_000 + b"]" * 100_000): ("nested deeper than 64", None),
    b"[" * 100_000 + b"]" * 100_000: ("nested deeper than 64", None),
}


HALF = "half of a surrogate pair in a string"
REFUSED |= {
    request(rb'{"x":"\ud800"}'): (HALF, "1"),
    request(rb'"\uDFFF"'): (HALF, "1"),
    request(rb'["\ud83d\u0041"]'): (HALF, "1"),
    rb'{"type":"req","id":"\ud800","method":"m"}': (HALF, None),
    rb'{"type":"req","id":7,"method":"m","params":"\ud800"}': (HALF, 7),
    rb'{"type":"req","id":"1","method":"\ud800"}': (HALF, "1"),
    rb'["\ud800"]': (HALF, None),
    rb'"\ud800' + b"x" * 70_000 + b'"': (HALF, None),
    request(rb'["\ud800",' + b"[" * 100_000 + b"]" * 100_000 + b"]"): (
        "nested deeper than 64",
        None,
    ),
}


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: data[:60].decode())
def test_a_frame_that_is_refused_is_told_why_and_keeps_its_id(data: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        websocket.decode_request(data)
    assert not isinstance(caught.value, MalformedJson)
    assert (caught.value.reason, caught.value.id) == REFUSED[data]


MALFORMED = [
    b"",
    b" ",
    b"{",
    b'{"type":"req","id":"1","method":"m"',
    b'{"type":"req","id":"1","method":"m"}}',
    b'{"type":"req","id":"1","method":"m","params":NaN}',
    b'{"type":"req","id":"1","method":"m","params":{"a":1,}}',
    b'{"type":"req","id":"1","method":"m","params":"\xff"}',
    b'{"type":"req","id":"\xff","method":"m"}',
    b'{"type":"x","id":"1"',
    b"\x00\x01\x02",
    b"{'type':'req'}",
    request(rb'"\ud800'),
    request(rb'["\ud800",NaN]'),
    request(rb'["\ud800",]'),
    request(rb'"\ud8"'),
]


@pytest.mark.parametrize("data", MALFORMED, ids=repr)
def test_text_that_is_no_json_is_told_apart(data: bytes) -> None:
    with pytest.raises(MalformedJson):
        websocket.decode_request(data)


@given(st.binary() | st.text())
@example(b'{"type":"req","id":"\\ud800","method":"m"}')
def test_anything_is_a_frame_or_a_typed_error(data: bytes | str) -> None:
    with suppress(FrameError):
        websocket.decode_from_server(data)
    with suppress(FrameError):
        websocket.decode_request(data if isinstance(data, bytes) else data.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"type":"res","id":"1"}',
        b'{"type":"res","id":"1","ok":1}',
        b'{"type":"res","id":"","ok":true}',
        b'{"type":"res","id":"1","ok":false,"error":null}',
        b'{"type":"res","id":"1","ok":false,"error":{"code":"X","message":""}}',
        b'{"type":"event","event":""}',
        b'{"type":"event","event":"\xff"}',
        b'{"type":"event","event":"x","seq":-1}',
        b'{"type":"event","event":"x","payload":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=lambda data: data[:50].decode(errors="replace"),
)
def test_a_client_refuses_what_the_real_one_would_not_take(data: bytes) -> None:
    with pytest.raises(FrameError):
        websocket.decode_from_server(data)


def test_a_client_ignores_keys_it_does_not_know() -> None:
    got = websocket.decode_from_server(b'{"type":"event","event":"x","recipientProfileId":"p"}')
    assert got == Event("x")


@given(trees, st.integers(0, 70))
@example({"\\": '"[['}, 63)
@example({"a\\\\": "\\"}, 62)
def test_depth_is_measured_exactly(tree: Any, wraps: int) -> None:
    for wrap in range(wraps):
        tree = [tree, ']]}\\"'] if wrap % 2 else {"[{\\": tree}
    text = json.dumps(tree).encode()
    assert is_shallow(text) is (depth(tree) <= MAX_DEPTH)
    allowed = depth(tree) < MAX_DEPTH  # the request is one level itself
    if allowed:
        websocket.decode_request(request(text))
    else:
        with pytest.raises(FrameError, match="nested deeper"):
            websocket.decode_request(request(text))


def test_the_shortest_request_that_is_too_deep_is_measured() -> None:
    for nested, good in ((63, True), (64, False)):
        data = request(b"[" * nested + b"]" * nested)
        assert is_shallow(data) is good
        if good:
            websocket.decode_request(data)
        else:
            with pytest.raises(FrameError):
                websocket.decode_request(data)


@pytest.mark.parametrize(
    "error",
    [
        RemoteError("UNAVAILABLE", "busy"),
        RemoteError("UNAVAILABLE", "busy", retryable=True, retry_after_ms=0),
        RemoteError("NOT_PAIRED", "pair first", details={"requestId": "r"}),
        RemoteError("INVALID_REQUEST", "no", details={}),
    ],
)
def test_an_error_survives_the_wire(error: RemoteError) -> None:
    shape = msgspec.json.decode(msgspec.json.encode(shape_of(error)), type=ErrorShape)
    assert vars(error_of(shape)) == vars(error)


def test_a_wait_of_more_than_decades_is_bounded() -> None:
    data = b'{"code":"UNAVAILABLE","message":"busy","retryAfterMs":1' + b"0" * 400 + b"}"
    found = error_of(msgspec.json.decode(data, type=ErrorShape)).retry_after_ms
    assert found == MAX_WAIT_MS
