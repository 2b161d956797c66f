"""Distinguishes requests that failed before and after they were sent, in one line without the URL.

A URL may hold a token or a ticket, so no error contains one.
"""

from __future__ import annotations

import aiohttp

from ipc.connection_errors import failure_text

TOO_LARGE = 413  # of a body, which no repetition makes smaller


class Unreachable(Exception):
    """The server was not reached, so the call was certainly not carried out."""


class NoAnswer(Exception):
    """The call was written and no answer came: it may have been carried out."""


def fault_of(call: str, error: BaseException) -> Unreachable | NoAnswer:
    """Classify the error of a failed request: one of aiohttp, of the system, or a timeout.

    ``call`` names it in the text of ``NoAnswer``.
    """
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unreachable(why(error))
    return NoAnswer(f"{call}: {why(error)}")


def is_proxy_refusal(status: int) -> bool:
    """Return whether a response that is not from the platform says that nothing was carried out.

    A page of a proxy with such a status, a redirect that is not followed: the call has not reached
    the platform. One with 200 or 502 leaves open whether it has.
    """
    return 300 <= status < 500


def why(error: BaseException) -> str:
    """Describe a failed connection in one line, with no part of the URL but its host."""
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ClientConnectorCertificateError():
            return failure_text(error)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionError():
            return "the server closed the connection"
        case TimeoutError():
            return "no answer in time"
    return type(error).__name__
