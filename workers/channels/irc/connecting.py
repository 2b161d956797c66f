"""Opens the TCP or TLS connection to the server, and translates its errors.

The errors of the operating system and of OpenSSL are told apart here: what passes by itself
becomes ``Transient``, what a person must correct becomes ``Misconfigured``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from pathlib import Path

from ipc import timeouts
from ipc.connection_errors import failure_text, host_and_port
from ipc.dial import address_of, dial
from ipc.files import open_to_write, read_regular
from ipc.nesting import load_json
from workers.channels.irc.config import IrcConfig
from workers.errors import ChannelError, Misconfigured, Transient

# X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED: the server's operators will renew it.
_PASSING_CERTIFICATE_ERRORS = frozenset({9, 10})


class AddressMemory:
    """Remembers in a file the address at which a server was last reached, and one that failed.

    An account connects once in each of its processes, so this is kept in the file ``path``. A file
    that cannot be read or written counts as empty.
    """

    def __init__(self, path: Path, host: str) -> None:
        self.worked = self.failed = self.tried = ""
        self._path = path
        self._host = host
        with contextlib.suppress(OSError, ValueError, AttributeError, KeyError):
            known = load_json(read_regular(path))
            if known.get("host") == host:
                self.worked, self.failed = str(known["worked"]), str(known["failed"])

    def save(self, *, worked: bool) -> None:
        """Store whether the address that was tried last accepted the account."""
        good = self.tried if worked else (self.worked if self.worked != self.tried else "")
        bad = self.tried if not worked else (self.failed if self.failed != self.tried else "")
        if self.tried and (good, bad) != (self.worked, self.failed):
            self.worked, self.failed = good, bad
            known = {"host": self._host, "worked": good, "failed": bad}
            with (
                contextlib.suppress(OSError),
                open(self._path, "w", opener=open_to_write) as file,
            ):
                json.dump(known, file)


async def connect(
    config: IrcConfig, memory: AddressMemory
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the reader and writer of a new connection.

    The addresses of the server are raced, the one that ``memory`` knows to work first. Takes at
    most ``connect_seconds``. Raises ``Transient`` or ``Misconfigured``.
    """
    host, port = config.address
    context = tls_context(config) if config.tls else None
    try:
        async with timeouts.timeout(config.connect_seconds):
            connected = await dial(host, port, first=memory.worked, last=memory.failed)
            memory.tried = address_of(connected)
            return await _wrapped(connected, context, host)
    except TimeoutError:
        doubt = " (does it speak TLS?)" if config.tls else ""
        where = host_and_port(host, port)
        text = f"{where}: no connection in {config.connect_seconds:g} s{doubt}"
        raise Transient(text) from None
    except ssl.SSLError as error:
        raise _tls_failure(config, error) from error
    except OSError as error:
        raise Transient(failure_text(error, host_and_port(host, port))) from error


async def _wrapped(
    connected: socket.socket, context: ssl.SSLContext | None, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    name = host if context is not None else None
    try:
        return await asyncio.open_connection(sock=connected, ssl=context, server_hostname=name)
    except BaseException:
        connected.close()
        raise


def tls_context(config: IrcConfig) -> ssl.SSLContext:
    """Return the TLS settings. Raises ``Misconfigured`` when ``tlsCaFile`` cannot be read."""
    context = ssl.create_default_context()
    if config.tls_ca_file is not None:
        try:
            context.load_verify_locations(config.tls_ca_file)
        except (OSError, ssl.SSLError) as error:
            unread = not isinstance(error, ssl.SSLError) and error.strerror
            why = unread or "holds no certificate in PEM form"
            raise Misconfigured(f"tlsCaFile {config.tls_ca_file}: {why}") from error
    if not config.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls_failure(config: IrcConfig, error: ssl.SSLError) -> ChannelError:
    where = host_and_port(*config.address)
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"the certificate of {where} is not valid: {error.verify_message}"
        passing = error.verify_code in _PASSING_CERTIFICATE_ERRORS
        return Transient(text) if passing else Misconfigured(text)
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return Misconfigured(f"{where} does not speak TLS: another port, or tls: false")
    return Transient(failure_text(error, where))
