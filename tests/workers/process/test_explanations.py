"""What exceptions mean that a plugin did not raise on purpose."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from workers.errors import ChannelError, MaybeSent, NeedsLogin, SendFailed, Transient
from workers.process.explanations import (
    explaining,
    failed_send,
    guarded,
    is_network_error,
    members,
    unexplained,
)

KEY = ConnectionKey("chat.example", 443, True, True, None, None, None)
NETWORK: dict[str, tuple[BaseException, type[SendFailed]]] = {
    "refused": (ConnectionRefusedError(111, "refused"), SendFailed),
    "no such host": (socket.gaierror(-2, "Name or service not known"), SendFailed),
    "reset": (ConnectionResetError(104, "reset"), MaybeSent),
    "broken pipe": (BrokenPipeError(32, "broken pipe"), MaybeSent),
    "no route": (OSError(113, "No route to host"), MaybeSent),
    "disk": (OSError(28, "No space left on device"), MaybeSent),
    "timeout": (TimeoutError(), MaybeSent),
    "tls": (ssl.SSLError(1, "wrong version number"), MaybeSent),
    "certificate": (ssl.SSLCertVerificationError(1, "expired"), MaybeSent),
    "end of stream": (asyncio.IncompleteReadError(b"", 4), MaybeSent),
    "aiohttp connect": (aiohttp.ClientConnectorError(KEY, OSError(111, "refused")), SendFailed),
    "aiohttp dns": (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "unknown")), SendFailed),
    "aiohttp disconnected": (aiohttp.ServerDisconnectedError(), MaybeSent),
    "aiohttp payload": (aiohttp.ClientPayloadError("cut"), MaybeSent),
}

# Of connections the sentence; of the others the class and its text, for whoever writes the plugin.
TEXTS = {
    "refused": "refused",
    "no such host": "Name or service not known",
    "reset": "reset",
    "broken pipe": "broken pipe",
    "no route": "No route to host",
    "timeout": "no answer in time",
    "tls": "TLS failed: wrong version number",
    "certificate": "TLS failed: expired",
    "aiohttp connect": "refused: chat.example:443",
    "aiohttp dns": "unknown: chat.example:443",
}


@pytest.mark.parametrize("case", NETWORK)
def test_an_error_of_the_network_is_known_as_one(case: str) -> None:
    error, meaning = NETWORK[case]
    assert is_network_error(error)
    failed = failed_send(error)
    assert type(failed) is meaning
    assert failed.retryable is (meaning is SendFailed)
    assert str(failed) == TEXTS.get(case, f"{type(error).__name__}: {error}")


class ClientError(Exception):
    """One that is not aiohttp's."""


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError(), ClientError(), asyncio.CancelledError(), Transient("x")]
)
def test_other_errors_are_no_network_errors(error: BaseException) -> None:
    assert not is_network_error(error)
    assert failed_send(error) is None


def test_a_plugin_is_asked_for_each_member_it_did_not_raise_on_purpose() -> None:
    asked = []

    def explain(error: BaseException) -> ChannelError | None:
        asked.append(error)
        return NeedsLogin("revoked") if isinstance(error, PermissionError) else None

    on_purpose, refused, other = Transient("x"), PermissionError("401"), KeyError("y")
    group = ExceptionGroup("a", [on_purpose, ExceptionGroup("b", [refused, other])])
    found = members(group, explain)
    assert asked == [refused, other]
    assert (found[0], type(found[1]), found[2]) == (on_purpose, NeedsLogin, other)
    assert members(refused) == [refused]
    assert unexplained(refused) is None


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, text: str, **more: Any) -> None:
        self.lines.append(text)

    exception = error


def test_a_fault_in_the_explanation_is_logged_and_explains_nothing() -> None:
    def broken(error: BaseException) -> Any:
        raise AttributeError("no such field")

    log = Log()
    assert guarded(broken, log)(ValueError()) is None
    assert guarded(lambda error: "revoked", log)(ValueError()) is None
    assert guarded(lambda error: NeedsLogin("x"), log)(ValueError()) is not None
    assert guarded(lambda error: None, log)(ValueError()) is None
    assert log.lines == [
        "the plugin's explain failed",
        "the plugin's explain returned no ChannelError",
    ]


@pytest.mark.parametrize(
    ("raised", "meant"),
    [
        (KeyError(429), SendFailed),
        (ExceptionGroup("tasks", [KeyError(429)]), SendFailed),
        (KeyError(500), KeyError),
        (Transient("on purpose"), Transient),
    ],
)
async def test_a_call_raises_what_its_errors_mean(
    raised: Exception, meant: type[Exception]
) -> None:
    def explain(error: BaseException) -> ChannelError | None:
        limited = isinstance(error, KeyError) and error.args == (429,)
        return SendFailed("slow down", retry_after=7, scope="account") if limited else None

    async def send(message: str) -> str:
        if message == "fine":
            return "sent"
        raise raised

    call = explaining(send, explain)
    assert await call("fine") == "sent"
    with pytest.raises(meant):
        await call("not")
