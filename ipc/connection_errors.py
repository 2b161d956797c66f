"""Words why a connection failed: the system's own text, with the address.

The event loop and the libraries replace the system's text by their own: "Connect call failed
('127.0.0.1', 6697)", "Multiple exceptions: [Errno 111] …", "All connection attempts failed". People
read this text in a status, so it is that of ``connect(2)``: "Connection refused by
irc.example.org:6697". Certificates, unknown names and timeouts have their own sentences.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from os import strerror

import msgspec

# How the texts begin that are not the system's.
_NOT_THE_SYSTEMS = (
    "Connect call failed",
    "Multiple exceptions",
    "All connection attempts failed",
    "Cannot connect to ",
    "error while attempting to bind",
)
_ERRNO = re.compile(r"\[Errno (-?\d+)\] ?((?:(?!, \[Errno ).)*)", re.DOTALL)
_ADDRESS = re.compile(r"Connect call failed \('([^']*)', (\d+)")
# What a network does; an OSError of another number is about a file, or about our own limits.
_OF_NETWORKS = frozenset(
    {
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ESHUTDOWN,
        errno.ETIMEDOUT,
        errno.EADDRNOTAVAIL,
    }
)
_BY_THE_PEER = {
    errno.ECONNREFUSED: "Connection refused by {}",
    errno.ECONNRESET: "Connection reset by {}",
    errno.EPIPE: "Connection closed by {}",
    errno.EHOSTUNREACH: "No route to host {}",
}
_BY_CLASS = {
    "ConnectionRefusedError": errno.ECONNREFUSED,
    "ConnectionResetError": errno.ECONNRESET,
    "BrokenPipeError": errno.EPIPE,
}
_NO_ANSWER = "no answer in time"
_MAX_CAUSES = 4  # different ones of a host with many addresses
_MAX_DEPTH = 20


class _Cause(msgspec.Struct, frozen=True):
    """One cause. ``number`` is 0 without an errno, ``address`` is empty if unknown.

    ``of_name``: it concerns the host name, so no port is shown.
    """

    words: str
    number: int = 0
    address: str = ""
    of_name: bool = False


def failure_text(error: BaseException, place: str = "") -> str:
    """Describe a failed connection in one line, for a person.

    ``place`` is the target, as ``host:port`` or a name; without it the error's own address is used.
    A caller that names the target itself uses ``failure_words``.
    """
    causes = _different(_causes_of(error))
    where = place or _place_of(error)
    if where:
        causes = _different(
            _Cause(each.words, each.number, of_name=each.of_name) for each in causes
        )
    if len(causes) == 1:
        return _sentence(causes[0], where or causes[0].address)
    if where:
        return f"{', '.join(each.words for each in causes)}: {where}"
    return ", ".join(_sentence(each, each.address) for each in causes)


def failure_words(error: BaseException) -> str:
    """Describe a failed connection like ``failure_text``, but without any address."""
    words = dict.fromkeys(each.words for each in _causes_of(error))
    return ", ".join(list(words)[:_MAX_CAUSES])


def is_connection_failure(error: BaseException) -> bool:
    """Return whether an error is one of the network, name resolution or TLS."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_connection_failure, error.exceptions))
    if not isinstance(error, OSError):
        return False
    return (
        isinstance(error, TimeoutError)
        or error.errno in _OF_NETWORKS
        or _is_a(error, "gaierror")
        or _is_a(error, "SSLError")
        or isinstance(getattr(error, "os_error", None), OSError)
        or _of_libraries(str(error.strerror or error))
    )


def host_and_port(host: str, port: int | str) -> str:
    """Return ``host:port``; an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _causes_of(error: BaseException, depth: int = 0) -> Iterator[_Cause]:
    """Yield the root causes of an error, for each member and each address."""
    inner = getattr(error, "os_error", None)  # aiohttp's
    below = error.__cause__ or error.__context__
    if depth > _MAX_DEPTH:
        yield _Cause(type(error).__name__)
    elif isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _causes_of(member, depth + 1)
    elif isinstance(inner, OSError) and inner is not error:
        yield from _causes_of(inner, depth + 1)
    elif _is_a(error, "SSLError") or _is_a(error, "CertificateError"):
        yield _of_tls(error)
    elif _says_nothing(error) and below is not None:
        yield from _causes_of(below, depth + 1)
    elif isinstance(error, OSError):
        yield from _of_system(error)
    else:
        yield _Cause(type(error).__name__)


def _says_nothing(error: BaseException) -> bool:
    """Return whether an error is a library's wrapper, whose cause has the information."""
    if isinstance(error, OSError):
        text = str(error.strerror or error)
        return error.errno is None and _of_libraries(text) and not _ERRNO.search(text)
    return True


def _of_system(error: OSError) -> Iterator[_Cause]:
    text = str(error.strerror or error).strip()
    if _is_a(error, "gaierror"):  # numbers of its own
        yield _Cause(text, of_name=True)
    elif text.startswith("Multiple exceptions") and (found := _ERRNO.findall(text)):
        for number, words in found:
            yield _numbered(int(number), words)
    elif error.errno is not None and error.errno > 0:
        yield _numbered(error.errno, text)
    elif isinstance(error, TimeoutError):
        yield _Cause(text or _NO_ANSWER, errno.ETIMEDOUT)
    elif not text and (number := _BY_CLASS.get(type(error).__name__)):
        yield _numbered(number, "")
    else:
        yield _Cause(text or type(error).__name__)


def _numbered(number: int, text: str) -> _Cause:
    """Return a cause with an errno; keep a text of our own."""
    if number < 0:
        return _Cause(text, of_name=True)
    at = _ADDRESS.search(text)
    address = host_and_port(at[1], at[2]) if at else ""
    ours = text and not _of_libraries(text)
    return _Cause(text if ours else strerror(number), number, address)


def _of_tls(error: BaseException) -> _Cause:
    """Return the cause of a TLS error, without OpenSSL's numbers and source files."""
    error = getattr(error, "certificate_error", None) or error
    if said := getattr(error, "verify_message", None):
        return _Cause(f"the certificate is not valid: {said}")
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    words = str(reason)
    return _Cause(f"TLS failed: {words.lower().replace('_', ' ') if words.isupper() else words}")


def _sentence(cause: _Cause, where: str) -> str:
    if not where:
        return cause.words
    if cause.words == strerror(cause.number) and cause.number in _BY_THE_PEER:
        return _BY_THE_PEER[cause.number].format(where)
    if cause.words == _NO_ANSWER:
        return f"no answer from {where} in time"
    return f"{cause.words}: {_host_of(where) if cause.of_name else where}"


def _host_of(where: str) -> str:
    host, colon, port = where.rpartition(":")
    return host if colon and port.isdigit() else where


def _place_of(error: BaseException) -> str:
    """Return the address in a library's error text."""
    host, port = getattr(error, "host", None), getattr(error, "port", None)
    return host_and_port(host, port) if isinstance(host, str) and isinstance(port, int) else ""


def _different(causes: Iterable[_Cause]) -> list[_Cause]:
    return list(dict.fromkeys(causes))[:_MAX_CAUSES]


def _of_libraries(text: str) -> bool:
    return text.startswith(_NOT_THE_SYSTEMS)


def _is_a(error: BaseException, name: str) -> bool:
    """Return whether an error's class has this name; imports neither ``ssl`` nor ``socket``."""
    return any(kind.__name__ == name for kind in type(error).__mro__)
