"""Tell apart the two ways in which a request fails, each in a line without its address.

An address may hold a token or a ticket, so none stands in an error.
"""

from __future__ import annotations

import aiohttp

from ipc.connection_errors import failure_text


class Unreachable(Exception):
    """The server was not reached, so the call was not carried out."""


class NoAnswer(Exception):
    """The call was written and no answer came: it may have been carried out."""


def fault_of(call: str, error: BaseException) -> Unreachable | NoAnswer:
    """Return what a failed request means: an error of aiohttp, of the system, or a timeout.

    ``call`` names it in the text of ``NoAnswer``.
    """
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unreachable(why(error))
    return NoAnswer(f"{call}: {why(error)}")


def why(error: BaseException) -> str:
    """Return one line about a connection that failed: its host, and nothing else of the URL."""
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ClientConnectorCertificateError():
            return failure_text(error)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionError():
            return "the server has closed the connection"
        case TimeoutError():
            return "no answer in time"
    return type(error).__name__
