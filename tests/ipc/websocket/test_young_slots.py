"""Slots hold sockets and notes, whatever becomes of the process that has filled them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from ipc.websocket.young import SLOT_BYTES
from ipc.websocket.young_slots import RECEIVED_BYTES, YoungSlots, facts_of
from tests.support.until import PATIENCE
from tests.support.young_slots import SlotsRig, slots_rig


@contextmanager
def accepted() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection: the client's, and the accepted one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    client.settimeout(PATIENCE)
    with client, server:
        yield client, server


@pytest.fixture
def rig() -> Iterator[SlotsRig]:
    with slots_rig() as made:
        yield made


def test_a_socket_in_a_slot_stays_open_and_is_found_with_its_notes(rig: SlotsRig) -> None:
    with accepted() as (client, server):
        slots = rig.inherit()
        slot = slots.reserve(server.fileno())
        assert slot is not None
        assert slot.record_received(b"GET ")
        assert slot.record_received(b"/")
        assert slot.record_sent(b"HTTP")
        server.close()
        # From here on as if its process had died.
        ((found, sock),) = rig.inherit().filled()
        assert not os.get_inheritable(sock.fileno())
        assert (found.notes().received, found.notes().sent) == (b"GET /", b"HTTP")
        assert found.notes().taken == 0
        found.take_over()
        assert found.record_received(b" HTTP/1.1")
        sock.sendall(b"still there")
        assert client.recv(64) == b"still there"
        sock.close()
        ((again, second),) = rig.inherit().filled()  # looking has not emptied it
        assert again.notes().received == b"GET / HTTP/1.1"
        assert again.notes().taken == 1
        assert 0 <= again.age < PATIENCE
        second.close()
        again.release()
        assert client.recv(64) == b""


def test_a_slot_that_was_left_may_be_taken_again_and_knows_nothing(rig: SlotsRig) -> None:
    slots = rig.inherit()
    for word in (b"one", b"two"):
        with accepted() as (client, server):
            slot = slots.reserve(server.fileno())
            assert slot is not None
            assert slot.notes().received == b""
            assert slot.record_received(word * 20_000)
            server.close()
            slot.release()
            assert client.recv(64) == b""
    assert not slots.filled()


def test_without_a_free_slot_nothing_is_kept(rig: SlotsRig) -> None:
    slots = rig.inherit()
    with accepted() as (_, server):
        taken = []
        while (slot := slots.reserve(server.fileno())) is not None:
            taken.append(slot)
        assert len(taken) == 64
        taken[0].release()
        assert slots.reserve(server.fileno()) is taken[0]
        for slot in taken[1:]:
            slot.release()


def test_what_cannot_be_sent_to_a_slot_is_not_kept(rig: SlotsRig) -> None:
    slots = rig.inherit()
    with accepted() as (_, server):
        number = server.detach()
        socket.socket(fileno=number).close()
        assert slots.reserve(number) is None


def test_what_is_no_tcp_socket_is_not_taken_for_one(rig: SlotsRig) -> None:
    slots = rig.inherit()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        assert slots.reserve(other.fileno()) is not None
        with open(os.devnull, "rb") as file:
            assert slots.reserve(file.fileno()) is not None
        ((slot, sock),) = rig.inherit().filled()
        with sock, pytest.raises(OSError, match="not supported"):
            slot.facts(sock)
        slot.release()
    assert rig.inherit().filled() == []


def test_notes_are_bounded(rig: SlotsRig) -> None:
    slots = rig.inherit()
    with accepted() as (_, server):
        slot = slots.reserve(server.fileno())
        assert slot is not None
        assert slot.record_received(b"a" * RECEIVED_BYTES)
        assert not slot.record_received(b"b")
        room = SLOT_BYTES - RECEIVED_BYTES - 64
        assert slot.record_sent(b"c" * room)
        assert not slot.record_sent(b"d")
        notes = slot.notes()
        assert notes.received == b"a" * RECEIVED_BYTES
        assert notes.sent == b"c" * room
        slot.release()


def test_the_kernel_counts_what_was_read_and_written() -> None:
    with accepted() as (client, server):
        client.sendall(b"x" * 100)
        server.recv(60)
        server.sendall(b"y" * 30)
        facts = facts_of(server)
        assert (facts.open, facts.read, facts.written) == (True, 60, 30)
        server.setblocking(False)
        written = 30
        with suppress(BlockingIOError):
            while True:  # until the client's buffer is full, too
                written += server.send(b"z" * 65536)
        assert facts_of(server).written == written
        client.close()
        assert not facts_of(server).open


def test_a_carrier_that_brings_nothing_is_no_slots() -> None:
    for message in (b"", b"1"):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            if message:
                ours.send(message)
            assert YoungSlots.inherit(theirs.detach()) is None
