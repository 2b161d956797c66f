"""What a fuzzer says: frames that know the protocol's grammar, and HTTP requests.

The methods and the names of their params come from the gateway's own table, so a new method is
fuzzed from its first day. Everything is mostly right and a little wrong: what is all wrong
is refused by the first check and tries nothing behind it.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

import runtime.gateway.methods  # noqa: F401 - importing it fills the table
from runtime.gateway.clients.method_table import import_all
from tests.support.rawclient import connect_params

# What ends the gateway or asks its supervisor to end it would end the fuzzing.
NEVER = frozenset({"shutdown"})
ACCOUNTS = ("irc:libera", "irc:oftc", "irc", "libera", "nobody:here", "*", "")
WORDS = ("irc", "libera", "send", "person-1", "#room", "k", "operator.admin", "trunkline.json5")

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(WORDS + ACCOUNTS)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=6,
)
likely = (
    st.sampled_from(WORDS + ACCOUNTS)
    | st.integers(-2, 500)
    | st.booleans()
    | st.lists(st.sampled_from(ACCOUNTS), max_size=3)
    | st.dictionaries(st.sampled_from(WORDS), st.sampled_from(WORDS), max_size=2)
)


def _of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return values of a type as msgspec sees it."""
    match kind:
        case inspect.StrType():
            return st.sampled_from(WORDS + ACCOUNTS) | st.text(max_size=20)
        case inspect.IntType():
            return st.integers(1, 200) | st.integers(-(2**63), 2**63)
        case inspect.BoolType():
            return st.booleans()
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=options):
            return st.sampled_from(options)
        case inspect.ListType(item_type=item):
            return st.lists(_of(item), max_size=4)
        case inspect.DictType(value_type=value):
            return st.dictionaries(st.sampled_from(WORDS) | st.text(), _of(value), max_size=3)
        case inspect.UnionType(types=kinds):
            return st.one_of([_of(each) for each in kinds])
        case inspect.StructType():
            return _of_struct(kind)
    return values


_made: dict[type, st.SearchStrategy[dict[str, Any]]] = {}  # a struct may hold its own kind


def _of_struct(kind: inspect.StructType) -> st.SearchStrategy[dict[str, Any]]:
    if kind.cls not in _made:
        built: list[st.SearchStrategy[dict[str, Any]]] = []
        _made[kind.cls] = st.deferred(lambda: built[0])
        built.append(_fields_of(kind))
    return _made[kind.cls]


def _fields_of(kind: inspect.StructType) -> st.SearchStrategy[dict[str, Any]]:
    known = {field.encode_name: _of(field.type) for field in kind.fields}
    required = {field.encode_name for field in kind.fields if field.required}
    return st.fixed_dictionaries(
        {key: known[key] for key in required},
        optional={key: value for key, value in known.items() if key not in required},
    )


def _params(name: str) -> st.SearchStrategy[Any]:
    struct = import_all()[name].struct if name in import_all() else None
    if struct is None:
        return values
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    right = _of_struct(kind)
    names = st.sampled_from([field.encode_name for field in kind.fields] or ["bogus"])
    wrong = st.builds(lambda params, key, value: params | {key: value}, right, names, likely)
    return st.one_of(*[right] * 7, wrong, right.flatmap(_with_a_stranger), values)


def _with_a_stranger(params: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda key, value: params | {key: value}, st.text(max_size=8), scalars)


def request_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "type": st.just("req"),
            "id": st.text(min_size=1, max_size=12) | st.sampled_from(["1", "x" * 256]),
            "method": st.just(name),
            "params": _params(name),
        },
        optional={"traceparent": st.text(max_size=128)},
    )


NAMES = sorted((set(import_all()) - NEVER) | {"connect", "no.such.method", ""})
methods = st.sampled_from(NAMES)
requests = methods.flatmap(request_of)
strangers = st.fixed_dictionaries(
    {"type": st.sampled_from(["req", "res", "event", "", "REQ"]) | scalars},
    optional={
        "id": scalars,
        "method": methods | scalars,
        "params": values,
        "ok": scalars,
        "payload": values,
        "error": values,
        "event": scalars,
        "seq": scalars,
        "bogus": scalars,
    },
)


def text(value: Any) -> bytes:
    """Return a frame of ``value``."""
    return json.dumps(value).encode()


def _deep(brackets: tuple[bytes, bytes], levels: int, closed: int, key: bytes) -> bytes:
    opening, closing = brackets
    return b'{"type":"req","id":"d","method":"health",%b:%b1%b}' % (
        key,
        opening * levels,
        closing * (levels + closed),
    )


deep = st.builds(
    _deep,
    st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b'["\\"[",', b"]")]),
    st.sampled_from([62, 63, 64, 65, 66, 1000, 6000]),
    st.sampled_from([0, 0, 0, -1, 1]),
    st.sampled_from([b'"params"', b'"bogus"', b'"id"']),
)
odd_frames = strangers.map(text) | deep

good_connect = st.sampled_from(
    [connect_params("token-of-the-test", protocol) for protocol in (3, 4)]
)
wrong_connect = st.builds(
    lambda base, change: base | change,
    good_connect,
    st.dictionaries(
        st.sampled_from(
            [
                *("minProtocol", "maxProtocol", "client", "caps", "commands", "role"),
                *("permissions", "scopes", "device", "locale", "userAgent", "bogus"),
            ]
        ),
        likely | values,
        min_size=1,
        max_size=3,
    ),
)
wrong_device = st.builds(
    lambda base, device: base | {"device": device},
    good_connect,
    st.fixed_dictionaries(
        {
            key: st.text(max_size=64) | scalars
            for key in ("id", "publicKey", "signature", "signedAt", "nonce")
        }
    ),
)
connects = st.builds(
    lambda params: {"type": "req", "id": "c", "method": "connect", "params": params},
    good_connect | wrong_connect | wrong_device | values,
)

# Before it: the first frame of a connection.
first_frames = (connects | requests | strangers | values).map(text) | deep | st.binary(max_size=200)

header = st.text(st.characters(max_codepoint=255), max_size=30).map(lambda s: s.encode("latin-1"))
_header_names = st.sampled_from(
    [
        *(b"Host", b"Connection", b"Upgrade", b"Content-Length", b"Transfer-Encoding", b"Expect"),
        *(b"Authorization", b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Origin", b"Range"),
        *(b"X-Forwarded-For", b"Forwarded", b"Accept-Encoding", b"Cookie", b""),
    ]
)
_header_values = header | st.sampled_from(
    [
        *(b"localhost", b"close", b"keep-alive", b"websocket", b"0", b"5", b"-1", b"chunked"),
        *(b"99999999999999999999", b"100-continue", b"Bearer token-of-the-test", b"Bearer x"),
        *(b"dGhlIHNhbXBsZSBub25jZQ==", b"13", b"127.0.0.1, 10.0.0.1", b"bytes=0-"),
    ]
)
_targets = st.sampled_from(
    [
        *(b"/", b"/health", b"/healthz", b"/ready", b"/readyz", b"/metrics", b"/v1/models", b"*"),
        *(b"/health?x=1", b"/../etc/passwd", b"//health", b"http://other/health", b"/%00", b""),
    ]
)


def _http(
    method: bytes,
    target: bytes,
    version: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> bytes:
    lines = [b" ".join((method, target, version)), *(b": ".join(pair) for pair in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


http_requests = st.builds(
    _http,
    st.sampled_from([b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"get", b"", b"X" * 40])
    | header,
    _targets | header.map(lambda text: b"/" + text),
    st.sampled_from([b"HTTP/1.1"] * 5 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b""]),
    st.lists(st.tuples(_header_names | header, _header_values), max_size=6),
    st.binary(max_size=60) | st.just(b"5\r\nhello\r\n0\r\n\r\n"),
)
