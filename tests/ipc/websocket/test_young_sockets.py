"""The young connections of a server: into slots at once, and out of them in a fair order."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence

import psutil
import pytest

from ipc.websocket.accepting import Acceptor
from ipc.websocket.demux import Limits
from ipc.websocket.sending import frame
from ipc.websocket.young import MAX_SLOTS, YoungSlot
from ipc.websocket.young_slots import YoungSlots
from ipc.websocket.young_sockets import YoungSockets
from tests.support.echo_server import UPGRADE, EchoServer, text_frame
from tests.support.until import until
from tests.support.young_servers import servers, the_only
from tests.support.young_slots import SlotsRig, slots_rig


@pytest.fixture
def rig() -> Iterator[SlotsRig]:
    with slots_rig() as made:
        yield made


def in_slots(rig: SlotsRig) -> int:
    """Return how many sockets another process would find now."""
    found = rig.inherit().filled()
    for _, sock in found:
        sock.close()
    return len(found)


class Owner(asyncio.Protocol):
    """A connection that only stays open."""

    buffered_bytes = 0

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.BaseTransport | None = None

    def continue_on(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def eof_received(self) -> None:
        """Close the transport, as asyncio does."""


class CountingSlots:
    """Slots that note how many sockets of a port the process has whenever one is taken."""

    def __init__(self, slots: YoungSlots, port: int) -> None:
        self._slots = slots
        self._port = port
        self.accepted: list[int] = []

    def filled(self) -> Sequence[tuple[YoungSlot, socket.socket]]:
        return self._slots.filled()

    def reserve(self, fd: int) -> YoungSlot | None:
        open_now = psutil.Process().net_connections("tcp4")
        ours = [each for each in open_now if each.laddr.port == self._port and each.raddr]
        self.accepted.append(len(ours))
        return self._slots.reserve(fd)


async def test_each_is_in_its_slot_before_the_next_is_accepted(rig: SlotsRig) -> None:
    """However many come at once: what is accepted and in no slot is cut off by a kill."""
    made: list[Owner] = []

    def make() -> Owner:
        made.append(Owner())
        return made[-1]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        clients = [socket.create_connection(address) for _ in range(20)]
        slots = CountingSlots(rig.inherit(), address[1])
        young = YoungSockets(slots, make)
        acceptor = Acceptor(listener.dup(), 100, young.begin)
        await until(lambda: len(made) == len(clients))
        assert in_slots(rig) == len(clients)
        acceptor.close()
    young.close()
    for each in clients:
        each.close()
    await until(lambda: in_slots(rig) == 0)
    assert slots.accepted == list(range(1, 21))


async def test_what_is_left_and_cannot_be_read_keeps_no_server_from_starting(
    rig: SlotsRig,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        assert rig.inherit().reserve(other.fileno()) is not None
    async with servers(rig) as both:
        await both.next()
        assert both.taken == {"unnoted": 1}
        reader, writer = await both.connect()
        writer.write(UPGRADE + text_frame(b"one"))
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == frame(b"one")
        writer.close()


async def test_more_than_there_are_slots_for_are_served_as_ever(rig: SlotsRig) -> None:
    async with servers(rig) as both:
        made = await both.next()
        opened = [await both.connect() for _ in range(MAX_SLOTS + 3)]
        for _, writer in opened:
            writer.write(UPGRADE + text_frame(b"one"))
        for reader, _ in opened:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            assert await reader.readexactly(5) == frame(b"one")
        kept = [each for each in made.connections if each.young is not None]
        assert len(kept) == MAX_SLOTS
        for _, writer in opened:
            writer.close()


async def test_a_client_that_has_gone_is_dropped(rig: SlotsRig) -> None:
    async with servers(rig) as both:
        made = await both.next()
        _, writer = await both.connect()
        await until(lambda: bool(made.server.undecided))
        (connection,) = made.server.undecided
        assert connection.young is not None
        connection.young.pause_reading()
        writer.close()
        await writer.wait_closed()
        await both.next()
        assert both.taken == {"gone": 1}


async def test_one_that_has_been_young_for_too_long_is_settled(
    rig: SlotsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipc.websocket.young_sockets.MAX_SECONDS", -1.0)
    monkeypatch.setattr("ipc.websocket.young_sockets.CHECK_SECONDS", 0.01)
    async with servers(rig) as both:
        made = await both.next()
        reader, writer = await both.connect()
        writer.write(UPGRADE + text_frame(b"one"))
        await reader.readuntil(b"\r\n\r\n")
        connection = await the_only(made)
        await until(lambda: connection.young is None)
        assert await reader.readexactly(5) == frame(b"one")
        writer.close()


async def test_a_server_that_encrypts_ends_what_one_that_did_not_has_left(rig: SlotsRig) -> None:
    async with servers(rig) as both:
        await both.next()
        reader, writer = await both.connect()
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        both.stop()
        ((_, sock),) = rig.inherit().filled()
        sock.close()
        made = EchoServer()
        listener = socket.create_server(("127.0.0.1", 0))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        await made.start(listener, Limits(), slots=rig.inherit(), tls=context)
        assert not rig.inherit().filled()
        assert await made.server.take_over() == {}
        await made.server.close()
        writer.close()


async def test_idle_strangers_give_their_slots_up_to_a_client(
    rig: SlotsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipc.websocket.young_shares.GRACE_SECONDS", 0.0)
    async with servers(rig) as both:
        made = await both.next()
        strangers = [await both.connect() for _ in range(MAX_SLOTS)]
        await until(lambda: in_slots(rig) == MAX_SLOTS)
        reader, writer = await both.connect()
        writer.write(UPGRADE + text_frame(b"one"))
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == frame(b"one")
        assert (await the_only(made)).young is not None
        await both.next()
        assert both.taken == {"resumed": MAX_SLOTS}
        assert await reader.readexactly(5) == frame(b"one")  # an echo knows no ids
        for _, each in [*strangers, (reader, writer)]:
            each.close()


async def test_new_ones_keep_their_slots(rig: SlotsRig) -> None:
    async with servers(rig) as both:
        made = await both.next()
        opened = [await both.connect() for _ in range(MAX_SLOTS + 3)]
        await until(lambda: len(made.server.undecided) == len(opened))
        unkept = [each for each in made.server.undecided if each.young is None]
        assert len(unkept) == 3
        for _, writer in opened:
            writer.close()
