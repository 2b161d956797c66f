"""Real IRC servers on free ports, and an independent client.

``ngircd`` (Debian package) is the strict one: it makes who speaks too fast wait, and has TLS.
``miniircd`` comes from PyPI, so that the tests have a real server everywhere. ``inspircd`` (Debian)
is the modern one: message tags, server times, and "Excess Flood". Each is a context manager
that starts the server, waits until it takes connections, and kills it at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.support.short_directory import ShortDirectory
from workers.testing.ports import free_port

HOST = "127.0.0.1"
START_SECONDS = 30.0  # a busy machine has taken more than ten


@dataclass
class IrcServer:
    """A running server. ``ca_file`` and ``tls_port`` are set where it speaks TLS."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    tls_port: int = 0
    ca_file: str = ""

    def pause(self) -> None:
        """Stop it with SIGSTOP: connections stay open and nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it; the kernel closes its connections."""
        self.process.kill()
        self.process.wait()


def available(name: str) -> bool:
    """Whether the server ``name`` is installed here."""
    return program(name) is not None


def program(name: str) -> str | None:
    """Return the path of a server; those of Python packages are beside the interpreter."""
    places = os.pathsep.join(
        [
            str(Path(sys.executable).parent),
            os.environ.get("PATH", ""),
            "/usr/sbin",
            "/usr/local/sbin",
        ]
    )
    return shutil.which(name, path=places)


@contextlib.contextmanager
def ngircd(*, password: str = "", port: int = 0, extra: str = "") -> Iterator[IrcServer]:
    """Start ngircd with a plain port and a TLS port; ``extra`` is more configuration."""
    port, tls_port = port or free_port(), free_port()
    with _directory() as place:
        ca, certificate = _certificate()
        ca.cert_pem.write_to_path(str(place / "ca.pem"))
        certificate.private_key_pem.write_to_path(str(place / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(place / "cert.pem"))
        config = place / "ngircd.conf"
        config.write_text(
            f"[Global]\nName = irc.test\nInfo = test\nListen = {HOST}\nPorts = {port}\n"
            "MotdPhrase = hello\nNetwork = TestNet\n"
            + (f"Password = {password}\n" if password else "")
            + "[Limits]\nMaxConnectionsIP = 0\nMaxNickLength = 16\nMaxJoins = 50\n"
            "[Options]\nPAM = no\nDNS = no\nIdent = no\nIncludeDir = /nonexistent\n"
            f"[SSL]\nCertFile = {place}/cert.pem\nKeyFile = {place}/key.pem\nPorts = {tls_port}\n"
            + extra
        )
        with _running("ngircd", ["-n", "-f", str(config)], port) as process:
            yield IrcServer("ngircd", port, process, tls_port, str(place / "ca.pem"))


@contextlib.contextmanager
def miniircd(*, password: str = "", port: int = 0) -> Iterator[IrcServer]:
    """Start miniircd."""
    port = port or free_port()
    options = [f"--ports={port}", f"--listen={HOST}"]
    if os.geteuid() == 0:
        options.append("--setuid=nobody")
    if password:
        options.append(f"--password={password}")
    with _running("miniircd", options, port) as process:
        yield IrcServer("miniircd", port, process)


@contextlib.contextmanager
def inspircd(*, port: int = 0, strictness: float = 0.0, history: int = 0) -> Iterator[IrcServer]:
    """Start inspircd with the IRCv3 modules.

    A line costs its sender seconds of penalty, 10 in all throw it out. ``strictness`` is how
    many of them are forgiven per real second: 1 as shipped, 0 for no limit at all. ``history``:
    so many messages a channel of mode +H may repeat to whom joins it.
    """
    forgiven_ms, most = (round(strictness * 1000), 10) if strictness else (1_000_000, 100_000)
    port = port or free_port()
    modules = ["cap", "ircv3", "ircv3_ctctags", "ircv3_msgid", "ircv3_servertime", "botmode"]
    modules += ["ircv3_batch", "chanhistory"] if history else []
    with _directory() as place:
        config = place / "inspircd.conf"
        config.write_text(
            '<server name="irc.test" description="test" network="TestNet">\n'
            '<admin name="a" nick="a" email="a@localhost">\n'
            f'<bind address="{HOST}" port="{port}" type="clients">\n'
            f'<pid file="{place}/pid">\n'
            + "".join(f'<module name="{module}">\n' for module in modules)
            + f'<connect name="all" allow="*" timeout="30" commandrate="{forgiven_ms}"'
            f' threshold="{most}" fakelag="no" recvq="8192" localmax="50" globalmax="50"'
            ' maxchans="50">\n'
            '<class name="x" commands="*">\n'
            + (f'<chanhistory maxlines="{history}" prefixmsg="no">\n' if history else "")
        )
        arguments = ["--nofork", "--config", str(config)]
        if os.geteuid() == 0:
            arguments.append("--runasroot")
        with _running("inspircd", arguments, port) as process:
            yield IrcServer("inspircd", port, process)


@functools.cache
def _certificate() -> tuple[trustme.CA, trustme.LeafCert]:
    ca = trustme.CA()
    return ca, ca.issue_cert(HOST, "localhost")


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    """A directory that a server without root's rights can read as well."""
    with ShortDirectory() as place:
        place.chmod(0o755)
        yield place


@contextlib.contextmanager
def _running(name: str, arguments: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    path = program(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed")
    process = subprocess.Popen(
        [path, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, port)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.01)  # between two tries to connect
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on {port}: exit {process.poll()}")


@dataclass
class RawClient:
    """A person's client, written from the grammar only: lines out, lines in."""

    nick: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    lines: list[str] = field(default_factory=list)  # all that came, without PINGs

    @classmethod
    async def connect(cls, server: IrcServer, nick: str, *rooms: str) -> RawClient:
        """Connect, register and join ``rooms``."""
        client = cls(nick, *await asyncio.open_connection(HOST, server.port))
        try:
            client.send(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
            await client.expect(lambda line: line.split()[1] in ("376", "422"))
            for room in rooms:
                client.send(f"JOIN {room}")
                await client.expect(lambda line: line.split()[1] == "366")
        except BaseException:
            await client.close()
            raise
        return client

    def send(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    def say(self, target: str, text: str) -> None:
        self.send(f"PRIVMSG {target} :{text}")

    async def expect(self, wanted: str | Callable[[str], bool], timeout: float = 15.0) -> str:
        """Read until a line holds the text, or fulfils the condition, and return it."""
        fulfils = wanted if callable(wanted) else lambda line: wanted in line
        async with asyncio.timeout(timeout):
            while True:
                line = await self._next()
                if fulfils(line):
                    return line

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def _next(self) -> str:
        while True:
            raw = await self.reader.readline()
            if not raw:
                raise ConnectionError(f"{self.nick}: closed after {self.lines[-3:]}")
            line = raw.decode(errors="replace").rstrip("\r\n")
            if line.startswith("PING"):
                self.send("PONG" + line[4:])
                continue
            self.lines.append(line)
            return line


@contextlib.asynccontextmanager
async def visitor(server: IrcServer, nick: str, *rooms: str) -> AsyncIterator[RawClient]:
    """A ``RawClient`` for the length of a block, closed whatever happens in it."""
    client = await RawClient.connect(server, nick, *rooms)
    try:
        yield client
    finally:
        await client.close()
