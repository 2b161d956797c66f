"""The data link's frames: what comes back, and what is refused with a reason."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.errors import FrameError
from ipc.frames import data
from ipc.frames.data import (
    HAPPENED,
    HISTORY,
    INBOUND,
    REDELIVERED,
    AccountIdentity,
    Ack,
    Answer,
    Call,
    DataHello,
    HttpAnswer,
    HttpCall,
    Mark,
    Messages,
    Refused,
    TurnAck,
    TurnBegin,
    TurnCancel,
    TurnEnded,
    TurnEvents,
    TurnTaken,
    Welcome,
    flag_table,
)

counts = st.integers(0, (1 << 63) - 1)
payloads = st.binary(max_size=300)
turn_ids = st.text(min_size=1, max_size=640)
http_headers = st.lists(st.tuples(st.text(max_size=50), st.text(max_size=50)), max_size=10)
from_worker = st.one_of(
    st.builds(
        DataHello,
        st.text(max_size=129),
        counts,
        st.text(max_size=128),
        counts,
        counts,
        st.booleans(),
    ),
    st.builds(
        lambda first, some, cursor: Messages(
            first, bytes(flags for flags, _ in some), [b for _, b in some], cursor
        ),
        counts,
        st.lists(st.tuples(st.integers(0, 255), payloads), min_size=1, max_size=20),
        payloads,
    ),
    st.builds(Mark, counts, counts, payloads),
    st.builds(AccountIdentity, st.text(min_size=1, max_size=512)),
    st.builds(Answer, counts, st.booleans(), payloads),
    st.builds(HttpAnswer, counts, st.integers(200, 599), http_headers, payloads),
    st.builds(TurnTaken, turn_ids, counts),
    st.builds(TurnEvents, turn_ids, counts, st.lists(payloads, min_size=1, max_size=20)),
    st.builds(TurnEnded, turn_ids, counts, payloads),
)
from_gateway = st.one_of(
    st.builds(
        Welcome,
        st.text(max_size=128),
        counts,
        counts,
        st.booleans(),
        payloads,
        st.text(max_size=512),
        st.booleans(),
    ),
    st.builds(Ack, counts, counts),
    st.builds(Call, counts, st.text(min_size=1, max_size=128), payloads),
    st.builds(Refused, st.text(max_size=1024)),
    st.builds(
        HttpCall,
        counts,
        st.sampled_from(["GET", "POST"]),
        st.text(max_size=100),
        st.text(max_size=100),
        http_headers,
        st.text(max_size=256),
        st.floats(0.1, 300),
        payloads,
    ),
    st.builds(TurnBegin, turn_ids, payloads, counts),
    st.builds(TurnAck, turn_ids, counts),
    st.builds(TurnCancel, turn_ids),
)
pack = msgspec.msgpack.encode


@given(st.lists(from_worker), st.lists(from_gateway))
def test_every_data_frame_survives_encoding_and_decoding(up: list[Any], down: list[Any]) -> None:
    assert data.decode_from_worker(data.encode(up)) == up
    assert data.decode_from_gateway(data.encode(down)) == down


@given(st.binary())
def test_anything_is_frames_or_a_typed_error(body: bytes) -> None:
    for decode in (data.decode_from_worker, data.decode_from_gateway):
        with suppress(FrameError):
            decode(body)


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "truncated"),
    "no list": (pack({"kind": 1}), "Expected `array`"),
    "frame is no list": (pack([1]), "Expected `array`"),
    "unknown kind": (pack([[19, 1]]), "Invalid value 19"),
    "kind that no worker sends": (pack([[11, "x"]]), "Invalid value 11"),
    "status of no answer": (pack([[7, 1, 101, [], b""]]), ">= 200"),
    "header that is no pair": (pack([[7, 1, 200, [["a"]], b""]]), "length 2"),
    "too many headers": (pack([[7, 1, 200, [["a", "b"]] * 129, b""]]), "length <= 128"),
    "body too large for HTTP": (pack([[7, 1, 200, [], bytes(1024 * 1024 + 1)]]), "length <="),
    "too few fields": (pack([[2, 1]]), "at least"),
    "negative seq": (pack([[2, -1, b"0", [b"{}"]]]), ">= 0"),
    "seq as text": (pack([[2, "1", b"0", [b"{}"]]]), "Expected `int`"),
    "seq beyond 63 bits": (pack([[2, 1 << 63, b"0", [b"{}"]]]), "<="),
    "flags as number": (pack([[2, 1, 256, [b"{}"]]]), "Expected `bytes`"),
    "flags too few": (pack([[2, 1, b"0", [b"{}", b"{}"]]]), "1 flags for 2 payloads"),
    "no payloads": (pack([[2, 1, b"", []]]), "length >= 1"),
    "too many payloads": (pack([[2, 1, b"0", [b""] * 1025]]), "length <= 1024"),
    "payload as object": (pack([[2, 1, b"0", [{}]]]), "Expected `bytes`"),
    "payload too large": (pack([[2, 1, b"0", [bytes(1024 * 1024 + 1)]]]), "length <= 1048576"),
    "cursor too large": (pack([[2, 1, b"0", [b"{}"], bytes(65537)]]), "length <= 65536"),
    "mark without a cursor": (pack([[4, 1, 0]]), "at least"),
    "mark too large": (pack([[4, 1, 0, bytes(65537)]]), "length <= 65536"),
    "identity without text": (pack([[5, ""]]), "length >= 1"),
    "turn without a name": (pack([[8, "", 1]]), "length >= 1"),
    "name of a turn too long": (pack([[8, "x" * 641, 1]]), "length <= 640"),
    "turn without events": (pack([[9, "r", 1, []]]), "length >= 1"),
    "events of a turn too many": (pack([[9, "r", 1, [b""] * 1025]]), "length <= 1024"),
    "end of a turn as object": (pack([[10, "r", 1, {}]]), "Expected `bytes`"),
    "body too large": (bytes(data.MAX_BODY_BYTES + 1), "at most"),
    "too many frames": (pack([[2, 1, b"0", [b""]]] * 1025), "length <= 1024"),
    "key too long": (pack([[1, "x" * 130, 1, "t", 0]]), "length <= 129"),
    "token too long": (pack([[1, "a:b", 1, "t" * 129, 0]]), "length <= 128"),
    "broken UTF-8": (pack([[1, "\x7f\x7f", 1, "t", 0]]).replace(b"\x7f\x7f", b"\xff\xff"), "utf-8"),
    "cut off": (pack([[2, 1, b"0", [b"{}"]]])[:-1], "truncated"),
    "with a tail": (pack([[2, 1, b"0", [b"{}"]]]) + b"\x00", "trailing"),
    "nested without end": (b"\x91" * 5000, "malformed worker frame"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_body_of_a_worker_is_refused_with_the_reason(case: str) -> None:
    body, reason = REFUSED[case]
    with pytest.raises(FrameError, match=reason):
        data.decode_from_worker(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        pack([[9]]),
        pack([[3, 1, "", b""]]),
        bytes(data.MAX_BODY_BYTES + 1),
        pack([[6, "r", bytes(data.MAX_TURN_BYTES + 1), 0]]),
        pack([[7, "r", -1]]),
    ],
    ids=[
        "empty",
        "unknown kind",
        "nameless method",
        "too large",
        "turn too large",
        "negative acknowledgement",
    ],
)
def test_a_bad_body_of_the_gateway_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        data.decode_from_gateway(body)


@pytest.mark.parametrize(
    "payload", [b"{}", b"null", '{"text":"süß 🎈"}'.encode(), b"[" * 64 + b"]" * 64]
)
def test_a_payload_that_every_client_can_take(payload: bytes) -> None:
    data.check_payload(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"{}{}",
        b'{"a":NaN}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_payload_that_would_hurt_clients_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameError, match="malformed payload"):
        data.check_payload(payload)


@pytest.mark.parametrize("payload", [b'{"a":"\xff"}', b'"\xed\xa0\x80"', b"\xc3"])
def test_text_that_is_not_utf8_is_refused(payload: bytes) -> None:
    with pytest.raises(FrameError, match="malformed payload: 'utf-8'"):
        data.check_text(payload)


def test_a_part_of_a_pack_keeps_numbers_and_flags() -> None:
    whole = Messages(5, b"abc", [b"1", b"2", b"3"])
    assert whole.last == 7
    assert whole.part(6, 7) == Messages(6, b"bc", [b"2", b"3"])
    assert whole.part(5, 7) == whole


def test_a_table_finds_the_flags_that_have_one() -> None:
    table = flag_table(HAPPENED)
    assert 1 not in bytes([0, INBOUND, INBOUND | REDELIVERED]).translate(table)
    assert bytes([0, HAPPENED, HAPPENED | HISTORY]).translate(table) == b"\0\1\1"


def test_a_cursor_goes_with_the_last_message_of_a_pack() -> None:
    whole = Messages(5, b"abc", [b"1", b"2", b"3"], b"7")
    assert whole.part(5, 6).cursor == b""
    assert whole.part(6, 7).cursor == b"7"


def test_a_pack_that_an_older_worker_sends_has_no_cursor() -> None:
    assert data.decode_from_worker(pack([[2, 1, b"0", [b"{}"]]])) == [Messages(1, b"0", [b"{}"])]
    assert data.decode_from_gateway(pack([[1, "g", 4, 0], [2, 4]])) == [Welcome("g", 4), Ack(4)]


def test_the_largest_request_over_http_fits_into_a_body() -> None:
    """Names and values count in bytes, path and query are ASCII but for what was decoded."""
    headers = [("x" * 10, "\u20ac" * 82)] * 128
    assert data.http_head_bytes(headers) == data.MAX_HTTP_HEAD_BYTES
    with pytest.raises(ValueError, match="surrogates"):
        data.http_head_bytes([("a", "\ud800")])
    largest = HttpCall(
        (1 << 63) - 1, "OPTIONS", "", "", headers, "r" * 256, 300.0, bytes(data.MAX_PAYLOAD_BYTES)
    )
    assert data.decode_from_gateway(data.encode([largest])) == [largest]
