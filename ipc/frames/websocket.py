"""Defines the frames of the WebSocket protocol: request, response, event. Pure.

Clients and servers both use it. Payloads stay JSON text (``msgspec.Raw``), so that a payload that
is only passed on is never decoded. A key that does not apply is absent, never null: the real client
drops a response with ``"error":null``.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ipc.errors import FrameError, MalformedJson, RemoteError
from ipc.frames.validation import explain as explain  # re-exported: it words this module's refusals
from ipc.nesting import MAX_DEPTH, SHORT_BYTES, TooDeep, decode_json, is_shallow, require_shallow

MAX_ID = 256  # characters; the real CLI's ids have 38
MAX_METHOD = 128
MAX_PREAUTH_BYTES = 65_536
MAX_FRAME_BYTES = 26_214_400
MAX_WAIT_MS = 10**12  # of ``retryAfterMs``; as a float a larger number may overflow

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_METHOD)]
Count = Annotated[int, Meta(ge=0)]


class ErrorShape(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The reason why a request was refused or failed; ``code`` is one of ``ipc.frames.words``."""

    code: Name
    message: Annotated[str, Meta(min_length=1)]
    details: Any = UNSET
    retryable: bool | UnsetType = UNSET
    retry_after_ms: Count | UnsetType = UNSET


class Request(
    Struct, frozen=True, gc=False, tag_field="type", tag="req", rename="camel",
    forbid_unknown_fields=True,
):  # fmt: skip
    """A call of ``method``. ``params`` is JSON text that is not validated yet."""

    id: Id
    method: Name
    params: Raw | UnsetType = UNSET
    traceparent: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET
    expected_profile_id: Annotated[str, Meta(max_length=MAX_ID)] | UnsetType = UNSET


class Response(Struct, frozen=True, gc=False, tag_field="type", tag="res", rename="camel"):
    """The answer to the request ``id``: ``payload`` when ``ok``, else ``error``.

    A numeric ``id`` occurs only in the refusal of a frame that had one.
    """

    id: Id | int
    ok: bool
    payload: Raw | UnsetType = UNSET
    error: ErrorShape | UnsetType = UNSET


class StateVersion(Struct, frozen=True, gc=False):
    """How often presence and health have changed since the gateway started."""

    presence: Count = 0
    health: Count = 0


class Event(Struct, frozen=True, gc=False, tag_field="type", tag="event", rename="camel"):
    """An event for a client. ``seq`` counts per connection from 1; targeted events have none."""

    event: Name
    payload: Raw | UnsetType = UNSET
    seq: Count | UnsetType = UNSET
    state_version: StateVersion | UnsetType = UNSET


class Good(Struct, frozen=True, gc=False, tag_field="type", tag="res", rename="camel"):
    """A successful answer; its payload is an object to encode, or ``Raw`` JSON."""

    id: str | int
    ok: bool
    payload: Any = UNSET


class _Event(Struct, frozen=True, gc=False, tag_field="type", tag="event", rename="camel"):
    event: str
    payload: Any = UNSET
    seq: int | UnsetType = UNSET
    state_version: StateVersion | UnsetType = UNSET


encode = msgspec.json.Encoder().encode  # the JSON text of a frame, keys in the protocol's order
_decode_request = msgspec.json.Decoder(Request).decode
_from_server: msgspec.json.Decoder[Response | Event] = msgspec.json.Decoder(Response | Event)
# A request shorter than this cannot be too deep: so much are its other keys and the brackets.
_SHORT_BYTES = len('{"type":"req","id":"1","method":"m","params":}') + 2 * (MAX_DEPTH - 1)


def decode_request(text: bytes) -> Request:
    """Return the request in one message from a client.

    Raises ``MalformedJson`` when the text is no JSON at all, else ``FrameError`` with the
    reason and, where it could be read, the id: the protocol answers the two differently.
    """
    try:
        if not text.isascii():
            str(text, "utf-8")  # Raw would let broken UTF-8 through to other clients
        request = _decode_request(text)
    except UnicodeError:
        raise MalformedJson("not UTF-8") from None
    except msgspec.ValidationError as error:
        raise _refused(text, error) from None
    except RecursionError:
        raise FrameError(f"nested deeper than {MAX_DEPTH}") from None
    except msgspec.DecodeError as error:
        raise _unreadable(text, error) from None
    if len(text) > _SHORT_BYTES and not is_shallow(text):
        raise FrameError(f"nested deeper than {MAX_DEPTH}", id=request.id)
    return request


def decode_from_server(data: bytes | str) -> Response | Event:
    """Return the frame in one message from a gateway; keys that are not known are ignored.

    Raises ``MalformedJson`` or ``FrameError`` as ``decode_request`` does.
    """
    try:
        if len(data) > SHORT_BYTES:
            require_shallow(data)
        return _from_server.decode(data)
    except UnicodeError:
        raise MalformedJson("not UTF-8") from None
    except msgspec.ValidationError as error:
        raise FrameError(explain(error)) from None
    except TooDeep as error:
        raise FrameError(str(error)) from None
    except msgspec.DecodeError as error:
        raise MalformedJson(str(error)) from None


def shape_of(error: RemoteError) -> ErrorShape:
    """Convert an exception to its wire form; keys that do not apply are absent."""
    more: dict[str, Any] = {}
    if error.details is not None:
        more["details"] = error.details
    if error.retryable:
        more["retryable"] = True
    if error.retry_after_ms is not None:
        more["retry_after_ms"] = error.retry_after_ms
    return ErrorShape(error.code, error.message, **more)


def error_of(shape: ErrorShape) -> RemoteError:
    """Convert an error from the wire to an exception; its wait is bounded."""
    after = shape.retry_after_ms
    return RemoteError(
        shape.code,
        shape.message,
        details=None if shape.details is UNSET else shape.details,
        retryable=shape.retryable is True,
        retry_after_ms=None if after is UNSET else min(after, MAX_WAIT_MS),
    )


def response(id: str | int, payload: Any = UNSET) -> bytes:
    """Return the JSON text of a successful answer; ``payload`` is any object, or ``Raw`` JSON."""
    return encode(Good(id, True, payload))


def error_response(id: str | int, error: ErrorShape, payload: Any = UNSET) -> bytes:
    """Return the JSON text of a refusal, which may also have a ``payload``."""
    raw = UNSET if payload is UNSET else Raw(encode(payload))
    return encode(Response(id, False, raw, error))


def event(
    name: str,
    payload: Any = UNSET,
    seq: int | None = None,
    state_version: StateVersion | None = None,
) -> bytes:
    """Return the JSON text of an event; ``payload`` is any object, or ``Raw`` JSON."""
    return encode(
        _Event(
            name,
            payload,
            UNSET if seq is None else seq,
            UNSET if state_version is None else state_version,
        )
    )


_NO_PAYLOAD = b'"payload":null'  # within a name it would have its quotes escaped


def event_pieces(
    name: str, payload: bytes, seq: int, state_version: StateVersion | None = None
) -> tuple[bytes, bytes, bytes]:
    """Return the JSON text of an event in pieces, of which ``payload`` is one."""
    before, _, after = event(name, None, seq, state_version).partition(_NO_PAYLOAD)
    return before + _NO_PAYLOAD[:-4], payload, after


def _refused(data: bytes, error: msgspec.ValidationError) -> FrameError:
    """Parse the whole text again to find out whether it is JSON and has an id."""
    try:
        whole = decode_json(data)
    except UnicodeError as fault:
        return MalformedJson(str(fault))
    except TooDeep:
        return FrameError(f"nested deeper than {MAX_DEPTH}")
    except msgspec.DecodeError as fault:
        return _unreadable(data, fault)
    return FrameError(explain(error), id=_id(whole))


def _unreadable(data: bytes, fault: msgspec.DecodeError) -> FrameError:
    """Return the error for a text that msgspec refuses: no JSON, or half of a surrogate pair.

    JSON allows ``"\\ud800"`` (RFC 8259, 8.2), and a client that cuts a text in two sends it.
    """
    text = data.decode()
    if "\\ud" not in text and "\\uD" not in text:
        return MalformedJson(str(fault))
    try:
        require_shallow(data)
        whole = json.loads(text, parse_constant=_no_constant)
    except TooDeep:
        return FrameError(f"nested deeper than {MAX_DEPTH}")
    except ValueError:
        return MalformedJson(str(fault))
    return FrameError("half of a surrogate pair in a string", id=_id(whole))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _id(whole: Any) -> str | int | None:
    """Return the id of a refused request, if it has a usable one."""
    given = whole.get("id") if isinstance(whole, dict) else None
    if type(given) is int:
        return given
    readable = isinstance(given, str) and 0 < len(given) <= MAX_ID and _is_unicode(given)
    return given if readable else None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeError:
        return False
    return True
