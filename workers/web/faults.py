"""Distinguishes requests that failed before and after they were sent, in one line without the URL.

A URL may hold a token or a ticket, so no error contains one.
"""

from __future__ import annotations

import aiohttp

from ipc.connection_errors import failure_text


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
