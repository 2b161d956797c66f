"""Opens a client's session: socket, challenge, ``connect``, ``hello-ok``, retries.

Separate from the session itself because everything that may be tried again lies here: after
``hello-ok`` nothing is ever repeated.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import (
    ConnectionClosed,
    InvalidMessage,
    InvalidStatus,
    WebSocketException,
)

from ipc import timeouts
from ipc.connection_errors import failure_words
from ipc.errors import ConnectionFailed, FrameError, RemoteError
from ipc.frames.websocket import (
    MAX_FRAME_BYTES,
    ErrorShape,
    Event,
    Request,
    Response,
    decode_from_server,
    encode,
    error_of,
)
from ipc.frames.words import UNAVAILABLE
from ipc.hidden_fields import hide_fields
from ipc.hosts import is_address
from ipc.identity.credentials import Claim, Credentials
from ipc.identity.device import Identity
from ipc.websocket.backoff import PASSING, asked_wait, is_starting
from ipc.websocket.library_client import ClientConnection, connect, unix_connect

CONNECT_ID = "0"  # calls count from 1


OPERATOR = tuple(
    f"operator.{name}"
    for name in (
        "read",
        "write",
        "admin",
        "approvals",
        "questions",
        "pairing",
        "talk",
        "talk.secrets",
    )
)


class ConnectOptions(TypedDict, total=False):
    """The options of a session.

    ``token`` and ``password`` are the gateway's shared secrets. ``client`` overrides fields of
    the client's description. ``commands`` are what a connection with ``role="node"`` can be
    asked to do. ``timeout`` is for one try, in seconds. ``unix`` is the path of a socket that
    replaces host and port of the url. ``identity`` proves which device this is; the token
    that the gateway gives it is kept and used (``Identity.load``). ``tls`` is for ``wss``
    only, where the system's authorities are not those to trust.
    """

    token: str | None
    password: str | None
    client: dict[str, Any]
    role: str
    scopes: Sequence[str]
    caps: Sequence[str]
    min_protocol: int
    max_protocol: int
    timeout: float
    unix: Path | None
    identity: Identity | None
    commands: Sequence[str]
    tls: ssl.SSLContext | None


@hide_fields("token", "password")
class Opening(msgspec.Struct, frozen=True):
    """The url of a session to open, and its ``ConnectOptions``."""

    url: str
    token: str | None = None
    password: str | None = None
    client: dict[str, Any] | None = None
    role: str = "operator"
    scopes: Sequence[str] = OPERATOR
    caps: Sequence[str] = ()
    min_protocol: int = 3
    max_protocol: int = 4
    timeout: float = 10.0
    unix: Path | None = None
    identity: Identity | None = None
    commands: Sequence[str] = ()
    tls: ssl.SSLContext | None = None

    @property
    def place(self) -> str:
        """The url or path of the gateway, for messages."""
        return str(self.unix) if self.unix else self.url

    @property
    def claim(self) -> Claim:
        """The part of ``connect`` that a device signs."""
        client = self._client()
        return Claim(
            client["id"],
            client["mode"],
            self.role,
            tuple(self.scopes),
            client["platform"],
            client.get("deviceFamily", ""),
        )

    def params(self) -> dict[str, Any]:
        """Return the parameters of ``connect`` without ``auth`` and ``device``."""
        params = {
            "minProtocol": self.min_protocol,
            "maxProtocol": self.max_protocol,
            "client": self._client(),
            "role": self.role,
            "scopes": list(self.scopes),
            "caps": list(self.caps),
        }
        return params | ({"commands": list(self.commands)} if self.commands else {})

    def _client(self) -> dict[str, Any]:
        return {
            "id": "gateway-client",
            "version": "trunkline",
            "platform": sys.platform,
            "mode": "backend",
        } | (self.client or {})


async def open_session(
    opening: Opening, retry: Iterable[float]
) -> tuple[ClientConnection, dict[str, Any]]:
    """Return an open connection and its hello.

    Waits ``retry``'s seconds between tries, and only after failures that a restart of the
    gateway explains; a socket that nobody listens on is not one of them. Raises
    ``ConnectionFailed``, or ``RemoteError`` with the gateway's refusal.
    """
    waits = iter(retry)
    credentials = Credentials(opening.place, opening.token, opening.password, opening.identity)
    while True:
        try:
            return await _try(opening, credentials)
        except RemoteError as error:
            other_way = credentials.on_refused(error, opening.role)
            await credentials.save()
            if other_way:
                continue
            wait = next(waits, None)
            if wait is None or not is_starting(error):
                raise
            await asyncio.sleep(asked_wait(error))
        except ConnectionFailed as error:
            wait = next(waits, None)
            if wait is None or error.code not in PASSING:
                raise
            await asyncio.sleep(wait)


async def _try(
    opening: Opening, credentials: Credentials
) -> tuple[ClientConnection, dict[str, Any]]:
    connection: ClientConnection | None = None
    try:
        async with timeouts.timeout(opening.timeout):
            connection = await _dial(opening)
            hello = await _greet(connection, opening, credentials)
        await credentials.save()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - always re-raised
        if connection is not None:
            connection.transport.abort()
            await connection.wait_closed()
        raise _failure(opening, connection, error) from None
    return connection, hello


async def _dial(opening: Opening) -> ClientConnection:
    options: dict[str, Any] = {
        "compression": None,  # costs more than it saves
        "ping_interval": None,
        "open_timeout": None,
        "close_timeout": 1,
        "max_size": MAX_FRAME_BYTES,
    }
    if opening.unix is not None:
        return await unix_connect(str(opening.unix), "ws://localhost/", **options)
    if opening.tls is not None and opening.url.startswith("wss:"):
        options["ssl"] = opening.tls
    return await open_websocket(opening.url, **options)


async def open_websocket(url: str, **options: Any) -> ClientConnection:
    """Open a WebSocket; a host that is a name may have several addresses, which are raced."""
    parts = urlsplit(url)
    if parts.hostname is None or is_address(parts.hostname):
        return await connect(url, proxy=None, **options)
    from ipc.dial import dial  # late: a host's own gateway is reached by its address

    secure = parts.scheme == "wss"
    connected = await dial(parts.hostname, parts.port or (443 if secure else 80))
    try:
        return await connect(url, proxy=None, sock=connected, **options)
    except BaseException:
        connected.close()
        raise


async def _greet(
    connection: ClientConnection, opening: Opening, credentials: Credentials
) -> dict[str, Any]:
    while True:  # the challenge comes first; whatever a later protocol puts before it is skipped
        challenge = decode_from_server(await connection.recv(decode=False))
        if isinstance(challenge, Event) and challenge.event == "connect.challenge":
            break
    proof = credentials.params(opening.claim, _object(challenge.payload))
    params = msgspec.Raw(msgspec.json.encode(opening.params() | proof))
    await connection.send(encode(Request(CONNECT_ID, "connect", params)), text=True)
    while True:
        frame = decode_from_server(await connection.recv(decode=False))
        if isinstance(frame, Response) and frame.id == CONNECT_ID:
            break
    if not frame.ok:
        raise error_of(
            frame.error
            if isinstance(frame.error, ErrorShape)
            else ErrorShape(UNAVAILABLE, "connect failed without a reason")
        )
    hello = _object(frame.payload)
    credentials.on_granted(hello.get("auth"))
    return hello


def _object(payload: msgspec.Raw | msgspec.UnsetType) -> dict[str, Any]:
    value = msgspec.json.decode(payload) if isinstance(payload, msgspec.Raw) else {}
    return value if isinstance(value, dict) else {}


def _failure(
    opening: Opening, connection: ClientConnection | None, error: BaseException
) -> BaseException:
    place = opening.place
    match error:
        case TimeoutError():
            at = "connect" if connection is None else "hello"
            return ConnectionFailed(place, f"no {at} within {opening.timeout:g} s", retryable=True)
        case ConnectionClosed():
            code = error.rcvd.code if error.rcvd else 1006
            reason = error.rcvd.reason if error.rcvd else ""
            text = f"closed before hello with {code}" + (f" ({reason})" if reason else "")
            return ConnectionFailed(place, text, retryable=code in PASSING, code=code)
        case InvalidStatus():
            status = error.response.status_code
            text = f"answered with HTTP {status}{_explained(error.response.body)}"
            return ConnectionFailed(place, text, retryable=status == 503, code=status)
        case InvalidMessage() if isinstance(error.__cause__, EOFError | ConnectionError):
            # It was accepted, or waited in the backlog, when the gateway ended.
            return ConnectionFailed(place, "closed before hello", retryable=True, code=1006)
        case ConnectionResetError() | BrokenPipeError():
            return ConnectionFailed(place, "reset before hello", retryable=True, code=1006)
        case ssl.SSLCertVerificationError():
            return ConnectionFailed(place, failure_words(error), retryable=False)
        case OSError():
            return ConnectionFailed(place, failure_words(error), retryable=True)
        case WebSocketException() | FrameError() | msgspec.DecodeError():
            return ConnectionFailed(place, f"no gateway there: {error}", retryable=False)
    return error


def _explained(body: bytes | bytearray) -> str:
    """Return the first line of a gateway's plain-text HTTP answer; empty for a page."""
    text = bytes(body[:400]).decode(errors="replace").strip().partition("\n")[0]
    return f": {text}" if text and text.isprintable() and not text.startswith("<") else ""
