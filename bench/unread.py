"""Measures what clients that do not read cost the gateway: its memory at most, and at the end.

    python -m bench.unread [--kinds events,runs] [--counts 1,8,32,200] [--checkout DIR]

Each row is a daemon of its own. So many clients ask for something and read nothing of it:

* ``events``: WebSockets that watch an account which floods; ``tls events`` over TLS
* ``runs``: WebSockets of operators while agents flood
* ``answers``: WebSockets that ask for a long history again and again; ``tls answers`` over TLS
* ``pings``: WebSockets that send pings as fast as they are taken
* ``streams``: streams of ``/v1/chat/completions``, of an agent that floods
* ``bodies``: requests over HTTP for a long history, many on each connection

The memory is the highest RSS of the gateway's process (``VmHWM``, which the kernel counts) less its
RSS before, and the RSS once all clients are gone, less that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import ssl
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.checkout import Checkout
from bench.measuring.figures import table
from bench.measuring.processes import Peak, must_measure
from bench.tied import TiedDaemon
from ipc.identity import trust
from tests.support import bad_agent
from tests.support.abuse import COMPLETIONS, all_running, request
from tests.support.agent_packages import install_kind
from tests.support.daemon import TOKEN
from tests.support.encryption import encryption
from tests.support.person import Person, talking
from tests.support.rawclient import RawClient
from tests.support.short_directory import ShortDirectory

MIB = 1 << 20
SECONDS = 8.0
SMALL = 4096  # bytes that the kernel may keep on this side
COUNTS = (1, 8, 32, 200)
LONG = "agent:main:main"  # the session with a long history
LINES, LINE = 12_000, "x" * 1000
CONFIG: dict[str, Any] = {
    "agents": {
        "default": "none",
        "maxConcurrent": 400,
        "entries": {
            "main": {"kind": "echo"},
            "words": {"kind": bad_agent.KIND, "fault": "floods_words"},
        },
    },
    "channels": {"local": {"accounts": {"one": {"journal": "off"}}}},
    "gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}},
}


@dataclass(frozen=True, slots=True)
class Row:
    """The increase of the gateway's memory in MiB, and how many clients were closed."""

    kind: str
    clients: int
    peak_mib: float
    end_mib: float
    closed: int


class Unread:
    """Clients of one daemon that do not read."""

    def __init__(self, daemon: TiedDaemon, count: int, cert: Path | None) -> None:
        self.daemon, self.count, self.cert = daemon, count, cert
        self.stack = contextlib.AsyncExitStack()
        self.ends = 0.0

    async def sockets(self, caps: tuple[str, ...] = ()) -> list[RawClient]:
        """Open WebSockets that read no more once they have their hello."""
        opened = []
        url, more = address("ws", self.daemon, self.cert)
        for _ in range(self.count):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.daemon.port))
            client = await RawClient.open(url, sock=sock, **more)
            self.stack.callback(client.socket.transport.abort)
            await client.hello(TOKEN, caps=[*caps])
            client.socket.transport.pause_reading()
            opened.append(client)
        return opened

    async def requests(self, data: bytes, times: int = 1) -> None:
        """Send requests over HTTP on so many connections, of which nothing is read."""
        loop = asyncio.get_running_loop()
        for _ in range(self.count):
            sock = self.stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", self.daemon.port))
            with contextlib.suppress(OSError):
                await loop.sock_sendall(sock, data * times)


async def events(unread: Unread) -> None:
    await unread.sockets(("channel-events",))
    async with talking(unread.daemon, "one") as person:
        await flood(person, unread)


async def flood(person: Person, unread: Unread) -> None:
    while time.monotonic() < unread.ends:
        person.says(*[LINE] * 100)
        await person.drain()


async def streamed(unread: Unread, count: int) -> None:
    body = {"model": "openclaw/words", "stream": True}
    body["messages"] = [{"role": "user", "content": "go"}]
    data = request(unread.daemon, COMPLETIONS, TOKEN, body)
    other = Unread(unread.daemon, count, None)
    unread.stack.push_async_exit(other.stack)
    await other.requests(data)
    await asyncio.sleep(max(0.0, unread.ends - time.monotonic()))


async def runs(unread: Unread) -> None:
    await unread.sockets()
    await streamed(unread, 20)


async def streams(unread: Unread) -> None:
    await streamed(unread, unread.count)


async def answers(unread: Unread) -> None:
    clients = await unread.sockets()
    params = {"sessionKey": LONG, "limit": 200, "maxChars": 500_000}
    frame = {"type": "req", "method": "chat.history", "params": params}
    while time.monotonic() < unread.ends:
        for number, client in enumerate(clients):
            with contextlib.suppress(Exception):
                async with asyncio.timeout(0.2):
                    await client.send(frame | {"id": str(number)})
        await asyncio.sleep(0.05)


async def pings(unread: Unread) -> None:
    clients = await unread.sockets()

    async def ping(client: RawClient) -> None:
        transport = client.socket.transport
        frames = (b"\x89\xfd" + bytes(4) + b"p" * 125) * 500
        while time.monotonic() < unread.ends and not transport.is_closing():
            if transport.get_write_buffer_size() < MIB:
                transport.write(frames)
            await asyncio.sleep(0.005)

    await asyncio.gather(*map(ping, clients))


async def bodies(unread: Unread) -> None:
    data = request(unread.daemon, f"/sessions/{LONG}/history?limit=200", TOKEN, method="GET")
    await unread.requests(data, 20)
    await asyncio.sleep(max(0.0, unread.ends - time.monotonic()))


KINDS: dict[str, Callable[[Unread], Awaitable[None]]] = {
    "events": events,
    "tls events": events,
    "runs": runs,
    "answers": answers,
    "tls answers": answers,
    "pings": pings,
    "streams": streams,
    "bodies": bodies,
}


async def measured(kind: str, count: int, checkout: Checkout) -> Row:
    """Return what so many clients of a kind cost a daemon."""
    with ShortDirectory() as place:
        site = install_kind(place / "lib", bad_agent.KIND, bad_agent.MANIFEST)
        cert, config = None, CONFIG
        if kind.startswith("tls"):
            cert, tls = encryption(place)
            config = CONFIG | {"gateway": CONFIG["gateway"] | {"tls": tls}}
        daemon = TiedDaemon(place, config, checkout=checkout, site=str(site))
        async with daemon:
            status = await all_running(daemon)
            pid = status["gateway"]["pid"]
            await lengthen(daemon, cert)
            unread = Unread(daemon, count, cert)
            await asyncio.sleep(1)
            peak = Peak(pid)
            unread.ends = time.monotonic() + SECONDS
            async with unread.stack:
                await KINDS[kind](unread)
                highest = peak.mib()
                closed = await asyncio.to_thread(figure, daemon, cert)
            await asyncio.sleep(3)
            assert (await daemon.status())["gateway"]["pid"] == pid
            return Row(kind, count, highest, peak.now_mib(), closed)


async def lengthen(daemon: TiedDaemon, cert: Path | None) -> None:
    """Give a session a long history: ten turns of 100,000 characters, and their echoes."""
    url, more = address("ws", daemon, cert)
    client = await RawClient.open(url, **more)
    await client.hello(TOKEN)
    for number in range(10):
        params = {"sessionKey": LONG, "message": "long " * 20_000, "idempotencyKey": f"k{number}"}
        await client.call("chat.send", params)
        while (await client.event("chat"))["payload"]["state"] != "final":
            pass
    await client.close()


def address(scheme: str, daemon: TiedDaemon, cert: Path | None) -> tuple[str, dict[str, Any]]:
    """Return the daemon's URL, and with TLS the ``ssl`` context for it."""
    if cert is None:
        return f"{scheme}://127.0.0.1:{daemon.port}", {}
    context = trust.trusting(cert)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return f"{scheme}s://127.0.0.1:{daemon.port}", {"ssl": context}


def figure(daemon: TiedDaemon, cert: Path | None) -> int:
    """Return how many clients were closed because they do not read."""
    url, more = address("http", daemon, cert)
    context = more.get("ssl")
    with urllib.request.urlopen(f"{url}/metrics", timeout=600, context=context) as page:
        for line in page.read().decode().splitlines():
            if line.startswith("trunkline_slow_clients_total "):
                return int(float(line.split()[1]))
    raise RuntimeError("the gateway does not count slow clients")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.unread", description=__doc__)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--checkout", type=Path, default=machine.ROOT)
    args = parser.parse_args()
    must_measure()
    rows = []
    for kind in args.kinds.split(","):
        for count in map(int, args.counts.split(",")):
            rows.append(uvloop.run(measured(kind, count, Checkout.at(args.checkout))))
            print(rows[-1], flush=True)
    found = [[each.kind, str(each.clients), f"+{each.peak_mib:.1f} MiB"] for each in rows]
    for line, each in zip(found, rows, strict=True):
        line += [f"+{each.end_mib:.1f} MiB", str(each.closed)]
    print(table(("clients that", "count", "at most", "at the end", "closed"), found))


if __name__ == "__main__":
    main()
