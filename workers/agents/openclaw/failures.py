"""Decides by error codes what a refusal of the other gateway means for a turn. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipc.errors import CallTimeout, ConnectionFailed, IpcError, PeerGone, RemoteError
from ipc.frames.words import FORBIDDEN, INVALID_REQUEST, NOT_PAIRED
from workers.agents.answers import BrokenAnswer, shown
from workers.errors import (
    Misconfigured,
    NeedsLogin,
    RateLimited,
    Transient,
    TurnRefused,
    TurnTooLarge,
)

LOGIN_CODES = ("AUTH_", "DEVICE_", "PAIRING_")  # of ``details.code``
RATE_LIMITED, AGENT_TIMEOUT = "RATE_LIMITED", "AGENT_TIMEOUT"


def failure_of_run(kind: str, message: str) -> Exception:
    """Return the exception for a run's error; ``kind`` is the ``errorKind`` of its event."""
    text = f"the agent at the other gateway: {shown(message) or kind}"
    match kind:
        case "refusal":
            return TurnRefused(text)
        case "rate_limit":
            return RateLimited(text)
        case "context_length":
            return TurnTooLarge(text)
        case "timeout":
            return Transient(text)
    return BrokenAnswer(text)


def failure_of_session(error: IpcError, device: str) -> Exception:
    """Return the exception for a missing session; ``device`` is this agent's device id there."""
    if isinstance(error, RemoteError):
        details: Mapping[str, Any] = error.details if isinstance(error.details, Mapping) else {}
        code = str(details.get("code", ""))
        text = f"the other gateway refuses the connection: {shown(error.message)}"
        if error.code == NOT_PAIRED or code.startswith("PAIRING_"):
            return NeedsLogin(f"{text}; approve the device {device} at the other gateway")
        if code.startswith(LOGIN_CODES):
            return NeedsLogin(f"{text}; check token and password")
        if error.retryable:
            return Transient(text)
        return Misconfigured(text)
    if isinstance(error, ConnectionFailed) and not error.retryable:
        return Misconfigured(f"no gateway at {error.url}: {shown(error.reason)}")
    return Transient(shown(error))


def failure_of_call(error: IpcError, *, asked_more: bool) -> Exception:
    """Return the exception for a request that was refused or not answered.

    ``asked_more``: the turn asks for a certain model or thinking level.
    """
    if isinstance(error, PeerGone | CallTimeout | ConnectionFailed):
        return Transient(shown(error))
    if not isinstance(error, RemoteError):
        return BrokenAnswer(shown(error))
    text = f"the other gateway: {shown(error.message)}"
    wait = None if error.retry_after_ms is None else error.retry_after_ms / 1000
    if error.code == RATE_LIMITED:
        return RateLimited(text, retry_after=wait)
    if error.retryable or error.code == AGENT_TIMEOUT:
        return Transient(text, retry_after=wait)
    if error.code == FORBIDDEN:
        return Misconfigured(text)
    if error.code == INVALID_REQUEST:
        return TurnRefused(text) if asked_more else Misconfigured(text)
    return BrokenAnswer(text)
