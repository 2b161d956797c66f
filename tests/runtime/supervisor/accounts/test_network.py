from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.supervisor.accounts.network import (
    CHECK_SECONDS,
    RETURN_SECONDS,
    SETTLE_SECONDS,
    Network,
    has_route,
    netlink,
)

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
V4 = "{0}\t00000000\t0101A8C0\t{1}\t0\t0\t0\t00000000\t0\t0\t0\n"
V6 = "{2} 00 " + "0" * 32 + " 00 " + "0" * 32 + " 00000400 00000001 00000000 {1} {0}\n"
GLOBAL = "2001" + "0" * 28
LINK = "fe80" + "0" * 28


@pytest.mark.parametrize(
    ("v4", "v6", "there"),
    [
        ("", "", False),
        (HEAD, "", False),
        (HEAD + V4.format("eth0", "0003"), "", True),
        (HEAD + V4.format("lo", "0001"), "", False),
        (HEAD + V4.format("eth0", "0002"), "", False),
        (HEAD + V4.format("eth0", "0201"), "", False),
        (HEAD, V6.format("eth0", "00000003", GLOBAL), True),
        (HEAD, V6.format("eth0", "00000003", LINK), False),
        (HEAD, V6.format("eth0", "00000001", "ff00" + "0" * 28), False),
        (HEAD, V6.format("lo", "00200200", "0" * 32), False),
        (HEAD, V6.format("eth0", "00200200", "0" * 32), False),
        ("short\nrow\n", "short\n", False),
    ],
)
def test_what_counts_as_a_way_to_the_network(tmp_path: Path, v4: str, v6: str, there: bool) -> None:
    (tmp_path / "route").write_text(v4)
    (tmp_path / "ipv6_route").write_text(v6)
    assert has_route(tmp_path) is there


def test_without_proc_there_is_no_route(tmp_path: Path) -> None:
    assert has_route(tmp_path) is False


class Wire:
    """A network that can be cut, with somebody who says when to look."""

    def __init__(self, *, up: bool, told: bool = True) -> None:
        self.up = up
        self.returns: list[float] = []
        self._said: socket.socket | None = None
        self._told = told
        self.network = Network(
            lambda: self.returns.append(asyncio.get_running_loop().time()),
            has_route=lambda: self.up,
            notices=self._notices,
        )

    def _notices(self) -> socket.socket | None:
        if not self._told:
            return None
        self._said, read = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        read.setblocking(False)
        return read

    async def turn(self, up: bool, *, wait: float = 1.0) -> None:
        self.up = up
        if self._said is not None:
            self._said.send(b"changed")
        await asyncio.sleep(wait)

    def close(self) -> None:
        if self._said is not None:
            self._said.close()


@asynccontextmanager
async def wired(*, up: bool, told: bool = True) -> AsyncIterator[Wire]:
    wire = Wire(up=up, told=told)
    task = asyncio.create_task(wire.network.run())
    await asyncio.sleep(0)
    try:
        yield wire
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        wire.close()


@pytest.mark.virtual_time
async def test_the_return_of_the_network_is_reported_once() -> None:
    async with wired(up=True) as wire:
        await wire.turn(False)
        assert not wire.network.up
        await wire.turn(True)
        await wire.turn(True)
        assert len(wire.returns) == 1
        assert wire.network.up


@pytest.mark.virtual_time
async def test_a_flapping_network_is_told_at_most_every_ten_seconds() -> None:
    async with wired(up=False) as wire:
        for _ in range(60):
            await wire.turn(True)
            await wire.turn(False)
        gaps = [b - a for a, b in zip(wire.returns, wire.returns[1:], strict=False)]
        assert all(gap >= RETURN_SECONDS for gap in gaps)
        assert len(wire.returns) <= 120 / RETURN_SECONDS + 1


@pytest.mark.virtual_time
async def test_without_netlink_it_looks_every_few_seconds() -> None:
    async with wired(up=False, told=False) as wire:
        wire.up = True
        await asyncio.sleep(CHECK_SECONDS + SETTLE_SECONDS)
        assert len(wire.returns) == 1


def _in_a_network_of_its_own() -> int:
    """Fork a child that has no network, and that sees its loopback come up."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x40000000):  # CLONE_NEWNET
            os._exit(77)
        assert not has_route()
        notices = netlink()
        assert notices is not None
        with socket.socket() as sock:  # raise lo: SIOCSIFFLAGS, netdevice(7)
            fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x1))
        notices.setblocking(True)
        notices.settimeout(10)
        code = 0 if notices.recv(65536) else 1
    finally:
        os._exit(code)


def test_the_kernel_says_when_a_link_comes_up() -> None:
    code = _in_a_network_of_its_own()
    if code == 77:
        pytest.skip("no right to make a network of one's own")
    assert code == 0
