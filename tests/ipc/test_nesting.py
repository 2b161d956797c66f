"""However foreign data comes in, it nests as deep as we allow, and no deeper, on each interpreter.

Below the bound it is taken, above it refused by the entrance's own kind of error: never by a
``RecursionError``, and never taken because an interpreter can.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc import nesting
from ipc.errors import FrameError, RemoteError
from ipc.frames import control, data, jsonrpc, websocket
from ipc.nesting import (
    MAX_DEPTH,
    TooDeep,
    has_more_values,
    is_shallow,
    is_shallow_value,
)
from ipc.state_file import StateFile
from ops.actions.config_patch import change_of
from ops.commands.options import json_object
from ops.exits import OperatorError
from runtime.config.errors import ConfigError
from runtime.config.text.parse import parse
from runtime.gateway.accounts.account_calls import ANYTHING, read_answer
from runtime.supervisor.logs.line import read_line

PATCH_DEPTH = control.MAX_PATCH_DEPTH
JSON5_DEPTH = 32
REFUSALS = (FrameError, RemoteError, TooDeep, ConfigError, OperatorError)
PACK = msgspec.msgpack.encode


def arrays(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def objects(depth: int) -> bytes:
    """Objects, the innermost of them empty, whose keys and strings are full of brackets."""
    return b'{"[{\\"":"]}","a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def in_turn(depth: int) -> bytes:
    text = b"{}" if depth % 2 else b"[]"
    for level in range(depth - 1, 0, -1):
        text = b'{"a":%b}' % text if level % 2 else b"[%b]" % text
    return text


def table(depth: int) -> bytes:
    """An object at the outside, whatever is inside."""
    return b'{"a":%b}' % arrays(depth - 1) if depth > 1 else b"{}"


def value_of(text: bytes) -> Any:
    return json.loads(text)


def is_none(answer: object) -> None:
    if answer is None:
        raise FrameError("not understood")


def state_file(text: bytes, place: Path) -> None:
    path = place / "state.json"
    path.write_bytes(text)
    if StateFile(path, object).load() is None:
        raise FrameError("set aside")


def printed(text: bytes) -> None:
    if "text" in read_line(text):
        raise FrameError("not read as an object")


def long_frame(text: bytes) -> bytes:
    """An event of a gateway with more than the shortest bytes that are measured."""
    return b'{"type":"event","event":"x","payload":[%b,"%b"]}' % (text, b"x" * 1024)


def toml(text: bytes) -> None:
    parse(Path("trunkline.toml"), f"a = {text.decode()}")


def dotted(depth: int) -> bytes:
    return ".".join("a" * depth).encode() + b" = 1"


# name: entrance, its own bound, shapes of text that it reads, levels that it puts around
Entrance = tuple[Callable[[bytes, Path], object], int, tuple[Callable[[int], bytes], ...], int]
ANY = (arrays, objects, in_turn)
ENTRANCES: dict[str, Entrance] = {
    "a request of a client, or over cli.sock": (
        lambda text, _: websocket.decode_request(
            b'{"type":"req","id":"1","method":"m","params":%b}' % text
        ),
        MAX_DEPTH, ANY, 1,
    ),
    "a request that is wrong besides": (
        lambda text, _: refused_for_another_reason(text), MAX_DEPTH, ANY, 1,
    ),
    "a frame of a gateway": (
        lambda text, _: websocket.decode_from_server(long_frame(text)), MAX_DEPTH, ANY, 2,
    ),
    "an answer of an older gateway": (
        lambda text, _: is_none(jsonrpc.read(b'{"jsonrpc":"2.0","id":1,"result":%b}' % text)),
        MAX_DEPTH, ANY, 1,
    ),
    "a payload of a plugin": (lambda text, _: data.check_payload(text), MAX_DEPTH, ANY, 0),
    "an answer of an account": (
        lambda text, _: read_answer("irc:a", text, ANYTHING), MAX_DEPTH, ANY, 0,
    ),
    "what a plugin says about itself": (
        lambda text, _: control.decode_from_worker(PACK([[4, {"a": value_of(text)}]])),
        PATCH_DEPTH, ANY, 1,
    ),
    "a state file": (state_file, MAX_DEPTH, ANY, 0),
    "a line that a child prints": (lambda text, _: printed(text), MAX_DEPTH, (objects, table), 0),
    "a line of a log, or a child's last words": (
        lambda text, _: nesting.load_json(text), MAX_DEPTH, ANY, 0,
    ),
    "the text of --params": (
        lambda text, _: json_object(text.decode()), MAX_DEPTH, (objects, table), 0,
    ),
    "a configuration in JSON5": (
        lambda text, _: parse(Path("trunkline.json5"), text.decode()),
        JSON5_DEPTH, (table, in_turn), 0,
    ),
    "a configuration in TOML": (lambda text, _: toml(text), JSON5_DEPTH, (arrays,), 1),
    "dotted names in TOML": (
        lambda text, _: parse(Path("trunkline.toml"), text.decode()), JSON5_DEPTH, (dotted,), 0,
    ),
    "a change of the configuration": (
        lambda text, _: change_of(text.decode()), JSON5_DEPTH, (table, objects), 0,
    ),
}  # fmt: skip


def refused_for_another_reason(text: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        websocket.decode_request(b'{"type":"req","id":"1","no":1,"params":%b}' % text)
    if "nested deeper" in caught.value.reason:
        raise caught.value


CASES = [
    pytest.param(*entrance[:2], shape, entrance[3], id=f"{name}-{shape.__name__}")
    for name, entrance in ENTRANCES.items()
    for shape in entrance[2]
]
cases = pytest.mark.parametrize(("read", "bound", "shape", "around"), CASES)


@cases
def test_as_deep_as_the_bound_is_taken(
    read: Callable[[bytes, Path], object],
    bound: int,
    shape: Callable[[int], bytes],
    around: int,
    tmp_path: Path,
) -> None:
    read(shape(bound - around), tmp_path)


@cases
@pytest.mark.parametrize("more", [1, 2, 900, 4000])
def test_deeper_nesting_is_refused(
    read: Callable[[bytes, Path], object],
    bound: int,
    shape: Callable[[int], bytes],
    around: int,
    tmp_path: Path,
    more: int,
) -> None:
    if bound == PATCH_DEPTH:
        more = min(more, 300)  # so deep can MessagePack be made of it
    with pytest.raises(REFUSALS):
        read(shape(bound - around + more), tmp_path)


JUNK = b"\x91" * 60_000 + b"\x01"  # arrays of MessagePack inside each other


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (control.decode_from_worker, b"\x91\x93\x05\x01" + JUNK),
        (control.decode_from_worker, b"\x91\x92\x05" + JUNK),
        (control.decode_from_worker, b"\x91\x92\x04\x81\xa1a" + JUNK),
        (control.decode_from_worker, JUNK),
        (control.decode_from_supervisor, b"\x91\x93\x01\x01" + JUNK),
        (data.decode_from_worker, b"\x91\x95\x03\x01\xc3\xc4\x00" + JUNK),
        (data.decode_from_worker, b"\x91\x92\x03" + JUNK),
        (data.decode_from_gateway, b"\x91\x93\x02\x01" + JUNK),
        (data.decode_from_gateway, JUNK),
    ],
)
def test_what_no_frame_has_is_refused_without_reading_it(
    decode: Callable[[bytes], object], body: bytes
) -> None:
    with pytest.raises(FrameError) as caught:
        decode(body)
    assert "recursion" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
    st.integers(0, 8),
)
def test_values_are_measured_exactly(value: Any, limit: int) -> None:
    def depth(each: Any) -> int:
        inner = (
            each.values() if isinstance(each, dict) else each if isinstance(each, list) else None
        )
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert is_shallow_value(value, limit) is (depth(value) <= limit)


def test_values_are_measured_without_recursing() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert not is_shallow_value(value)
    while isinstance(value, list):  # to free it at once would recurse
        value = value.pop()


def test_loosely_written_json_is_read_where_it_may_be() -> None:
    assert nesting.load_json('["\\ud800", NaN]')[0] == "\ud800"
    with pytest.raises(nesting.MALFORMED):
        nesting.decode_json('["\\ud800"]')


@pytest.mark.parametrize("made", [arrays, objects, in_turn])
@pytest.mark.parametrize("many", [0, 200])
def test_a_long_text_is_bounded_alike(made: Callable[[int], bytes], many: int) -> None:
    """Of one its few brackets are looked for, and not counted."""
    words = b'"%b"' % (b"x" * nesting.LONG_BYTES + b"[{" * many)
    for depth, taken in ((MAX_DEPTH - 1, True), (MAX_DEPTH, False)):
        assert is_shallow(b"[%b,%b]" % (words, made(depth))) is taken
        assert is_shallow(b"[%b,%b]" % (made(depth), words)) is taken
    assert is_shallow(b"[%b]" % words)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b"1", 0),
        (b"[]", 1),
        (b"[1,2,3]", 3),
        (b'{"a":1,"b":","}', 2),
        (b'{"a":[{},{}]}', 5),
        (b'["[[[[","{{{{"]', 2),
        (rb'["\\\"[,[[","\"{{"]', 2),
        (rb'["\\",[],{}]', 5),
        (b"[" + b"[]," * 5000 + b"{}]", 10_002),
        (b"[" + b'["[{,"],' * 30_000 + b"{}]", 60_002),
        (b"[" + b'["[{\\",\\\\"],' * 30_000 + b"{}]", 60_002),
    ],
)
def test_values_are_counted_without_decoding(text: bytes, count: int) -> None:
    json.loads(text)
    assert not has_more_values(text, count)
    assert has_more_values(text, count - 1)


@pytest.mark.parametrize("before", range(8))
def test_no_slice_of_a_long_text_ends_within_an_escape(before: int) -> None:
    words = b"x" * (nesting.SLICE_BYTES - before) + b'\\\\\\"[,' * 3
    assert not has_more_values(b'["%b"]' % words, 1)
    assert has_more_values(b'["%b",[]]' % words, 2)
