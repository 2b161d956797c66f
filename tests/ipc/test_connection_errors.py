"""What a person reads of a connection that failed."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import Any

import aiohttp
import pytest
import uvloop

from ipc.connection_errors import (
    failure_text,
    failure_words,
    host_and_port,
    is_connection_failure,
)
from ipc.dial import dial
from workers.testing.ports import free_port

AT = "irc.example.org:6697"
REFUSED = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 57945)")
REFUSED_6 = ConnectionRefusedError(111, "Connect call failed ('::1', 57945, 0, 0)")
NO_ROUTE = OSError(errno.ENETUNREACH, "Connect call failed ('2001:db8::1', 57945, 0, 0)")
NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
BOTH = OSError(f"Multiple exceptions: {REFUSED}, {NO_ROUTE}")
SAME = OSError(111, f"Multiple exceptions: {REFUSED}, {REFUSED_6}")


def key(host: str, port: int) -> Any:
    return aiohttp.client_reqrep.ConnectionKey(host, port, False, True, None, None, None)


def certificate(words: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] {words} (_ssl.c:1)")
    error.verify_message, error.verify_code = words, 10
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] something (_ssl.c:1006)")
    error.reason = reason
    return error


def caused(error: Exception, *causes: Exception) -> Exception:
    """Return an error whose chain of causes is ``causes``, as libraries wrap one in another."""
    upper = error
    for cause in causes:
        upper.__cause__ = cause
        upper = cause
    return error


ALL_FAILED = "All connection attempts failed"
TABLE: list[tuple[str, BaseException, str, str]] = [
    ("asyncio", REFUSED, f"Connection refused by {AT}", "Connection refused by 127.0.0.1:57945"),
    ("asyncio, IPv6", REFUSED_6, f"Connection refused by {AT}",
     "Connection refused by [::1]:57945"),
    ("uvloop", ConnectionRefusedError(111, "Connection refused"),
     f"Connection refused by {AT}", "Connection refused"),
    ("reset", ConnectionResetError(104, "Connection reset by peer"),
     f"Connection reset by {AT}", "Connection reset by peer"),
    ("reset, without a number", ConnectionResetError(), f"Connection reset by {AT}",
     "Connection reset by peer"),
    ("closed", BrokenPipeError(32, "Broken pipe"), f"Connection closed by {AT}", "Broken pipe"),
    ("no route", OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 1)"),
     f"No route to host {AT}", "No route to host 10.0.0.1:1"),
    ("no network", OSError(errno.ENETUNREACH, "Network is unreachable"),
     f"Network is unreachable: {AT}", "Network is unreachable"),
    ("the system's timeout", TimeoutError(110, "Connect call failed ('10.0.0.1', 1)"),
     f"Connection timed out: {AT}", "Connection timed out: 10.0.0.1:1"),
    ("our timeout", TimeoutError(), f"no answer from {AT} in time", "no answer in time"),
    ("no such name", NO_NAME, "Name or service not known: irc.example.org",
     "Name or service not known"),
    ("no resolver", socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
     "Temporary failure in name resolution: irc.example.org",
     "Temporary failure in name resolution"),
    ("two addresses, one reason", SAME, f"Connection refused by {AT}",
     "Connection refused by 127.0.0.1:57945, Connection refused by [::1]:57945"),
    ("two addresses, two reasons", BOTH,
     f"Connection refused, Network is unreachable: {AT}",
     "Connection refused by 127.0.0.1:57945, Network is unreachable: [2001:db8::1]:57945"),
    ("a group", ExceptionGroup("", [REFUSED, ExceptionGroup("", [REFUSED_6, NO_ROUTE])]),
     f"Connection refused, Network is unreachable: {AT}",
     "Connection refused by 127.0.0.1:57945, Connection refused by [::1]:57945, "
     "Network is unreachable: [2001:db8::1]:57945"),
    ("httpx", caused(RuntimeError(ALL_FAILED), OSError(ALL_FAILED), REFUSED),
     f"Connection refused by {AT}", "Connection refused by 127.0.0.1:57945"),
    ("httpx, several", caused(RuntimeError(ALL_FAILED), OSError(ALL_FAILED),
                              ExceptionGroup("", [REFUSED, NO_ROUTE])),
     f"Connection refused, Network is unreachable: {AT}",
     "Connection refused by 127.0.0.1:57945, Network is unreachable: [2001:db8::1]:57945"),
    ("httpx, too long", caused(RuntimeError(""), TimeoutError()),
     f"no answer from {AT} in time", "no answer in time"),
    ("aiohttp", aiohttp.ClientConnectorError(key("api.example.org", 443), REFUSED),
     f"Connection refused by {AT}", "Connection refused by api.example.org:443"),
    ("aiohttp, name", aiohttp.ClientConnectorDNSError(key("api.example.org", 443), NO_NAME),
     "Name or service not known: irc.example.org", "Name or service not known: api.example.org"),
    ("aiohttp, TLS", aiohttp.ClientConnectorSSLError(key("a.org", 1), tls("WRONG_VERSION_NUMBER")),
     f"TLS failed: wrong version number: {AT}", "TLS failed: wrong version number: a.org:1"),
    ("aiohttp, certificate",
     aiohttp.ClientConnectorCertificateError(key("a.org", 443), certificate("it has expired")),
     f"the certificate is not valid: it has expired: {AT}",
     "the certificate is not valid: it has expired: a.org:443"),
    ("certificate", certificate("self-signed certificate"),
     f"the certificate is not valid: self-signed certificate: {AT}",
     "the certificate is not valid: self-signed certificate"),
    ("TLS", tls("TLSV1_ALERT_PROTOCOL_VERSION"),
     f"TLS failed: tlsv1 alert protocol version: {AT}",
     "TLS failed: tlsv1 alert protocol version"),
    ("our own sentence", OSError(errno.EINVAL, "'a b' is not a host name"),
     f"'a b' is not a host name: {AT}", "'a b' is not a host name"),
    ("no sentence at all", OSError(), f"OSError: {AT}", "OSError"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "with_place", "alone"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_person_reads_the_systems_words_and_the_address(
    error: BaseException, with_place: str, alone: str
) -> None:
    assert failure_text(error, AT) == with_place
    assert failure_text(error) == alone
    for text in (with_place, alone, failure_words(error)):
        assert not any(
            foreign in text for foreign in ("Errno", "Connect call", "Multiple", "('", "_ssl.c")
        )
        assert "\n" not in text


@pytest.mark.parametrize(
    "number",
    [number for number in errno.errorcode if number not in {errno.EPIPE, errno.EAGAIN}],
    ids=lambda number: errno.errorcode[number],
)
def test_each_number_of_the_system_has_its_words(number: int) -> None:
    words = os.strerror(number)
    for error in (OSError(number, words), OSError(number, "Connect call failed ('::1', 1, 0, 0)")):
        text = failure_text(error, AT)
        assert AT in text
        assert text.startswith(words.removesuffix(" peer"))
        assert failure_words(error) == words


def test_many_addresses_make_no_long_line() -> None:
    numbers = range(1, 100)
    several = ExceptionGroup("", [OSError(number, os.strerror(number)) for number in numbers])
    assert len(failure_text(several, AT)) < 200


@pytest.mark.parametrize(
    ("error", "found"),
    [(REFUSED, True), (NO_NAME, True), (BOTH, True), (SAME, True), (certificate("x"), True),
     (TimeoutError(), True), (OSError(ALL_FAILED), True),
     (aiohttp.ClientConnectorError(key("a", 1), REFUSED), True),
     (ExceptionGroup("", [REFUSED, NO_NAME]), True),
     (ExceptionGroup("", [REFUSED, ValueError()]), False),
     (FileNotFoundError(2, "No such file", "/x"), False), (OSError(28, "No space"), False),
     (OSError("a plugin's own"), False), (ValueError("x"), False)],
)  # fmt: skip
def test_what_is_of_a_file_is_none_of_it(error: BaseException, found: bool) -> None:
    assert is_connection_failure(error) == found


def test_an_address_is_written_as_usual() -> None:
    assert host_and_port("a.example", 1) == "a.example:1"
    assert host_and_port("::1", 1) == "[::1]:1"


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_both_event_loops_come_to_the_same(runner: Any) -> None:
    port = free_port()

    async def fail(host: str, through: Any) -> str:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - its text is what is looked at
            await through(host, port)
        return failure_text(caught.value, host_and_port(host, port))

    for host in ("127.0.0.1", "localhost"):
        for through in (dial, asyncio.open_connection):
            assert runner(fail(host, through)) == f"Connection refused by {host}:{port}"
    assert runner(fail("nothing.invalid", dial)).startswith(("Name or service", "Temporary fail"))
