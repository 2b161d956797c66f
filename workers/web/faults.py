"""Tell apart the two ways in which a request fails, each in a line without its address.

An address may hold a token or a ticket, so none stands in an error.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import aiohttp

LONGEST_WAIT = 86_400.0  # seconds; what a peer may ask for


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
    """Return one line about a connection that failed; never an address."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the server's certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            return f"cannot connect to {error.host}:{error.port}: {error.os_error.strerror}"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "the server has closed the connection"
        case TimeoutError():
            return "no answer in time"
    return type(error).__name__


def asked_wait(value: str | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, by a number or a date; else ``None``."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)
