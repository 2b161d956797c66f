"""Defines the errors of ``ipc``, in one tree.

IpcError
├── FrameError            a frame that breaks the protocol; says what was wrong
│   └── MalformedJson     it is not even JSON
├── EndpointError         a socket path that cannot be used
├── PeerGone              the peer of a call is not there, or died before it answered
├── CallTimeout           no answer in time
├── RemoteError           the peer answered with an error of the protocol
└── ConnectionFailed      a WebSocket session could not be opened
"""

from __future__ import annotations

from typing import Any


class IpcError(Exception):
    """Base of every error that ``ipc`` raises."""


class FrameError(IpcError):
    """A frame that breaks the protocol.

    ``reason`` is one short sentence for the peer; ``id`` is the request's id where the
    frame had one that could be read, so that the refusal can be addressed. ``peer`` is the name
    of the sender on a link that names its peers.
    """

    def __init__(self, reason: str, *, id: str | int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.id = id
        self.peer: str | None = None


class MalformedJson(FrameError):
    """A text that is not JSON; it is dropped without an answer."""


class EndpointError(IpcError):
    """A socket path that is too long, not ours, or not writable."""


class PeerGone(IpcError):
    """A peer that is not connected, or went away before it answered a call.

    ``maybe_executed`` is true if the request had been handed over before.
    """

    def __init__(self, peer: str, *, maybe_executed: bool) -> None:
        tail = "; the request may have been executed" if maybe_executed else ""
        super().__init__(f"{peer} is gone{tail}")
        self.peer = peer
        self.maybe_executed = maybe_executed


class CallTimeout(IpcError):
    """No answer within the time allowed (seconds)."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(f"{method}: no answer within {seconds:g} s")
        self.method = method
        self.seconds = seconds


class RemoteError(IpcError):
    """A request was refused by the peer, or failed there."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Any = None,
        retryable: bool = False,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = details
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms


class ConnectionFailed(IpcError):
    """A session could not be opened; ``retryable``: trying again can help."""

    def __init__(self, url: str, reason: str, *, retryable: bool, code: int | None = None) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason
        self.retryable = retryable
        self.code = code
