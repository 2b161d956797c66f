"""Tests what happens when more connections come than are answered: no new ones for a moment."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ipc.zeromq import connections, handshakes
from ipc.zeromq.socket import BACKLOG, backlog
from tests.support.links import PEER, FrameList, LinkRig, bodies, closing, credentials
from tests.support.until import until
from tests.support.zmtp import come_and_go, greeting, hello


def connect(path: Path, sent: bytes) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(path))
    peer.sendall(sent)
    return peer


def refused_and_gone(path: Path) -> list[socket.socket]:
    """Strangers that do not wait for their answer."""
    for _ in range(40):
        connect(path, greeting() + hello(PEER.encode(), b"0" * 64)).close()
    return []


def proven_and_gone(path: Path) -> list[socket.socket]:
    """A worker that connects again and again."""
    come_and_go(path, credentials("irc:other#1"), 40)
    return []


def silent(path: Path) -> list[socket.socket]:
    """Strangers that stay and say nothing."""
    return [connect(path, b"") for _ in range(40)]


@pytest.mark.parametrize("come", [refused_and_gone, proven_and_gone, silent])
async def test_a_crowd_finds_no_socket_for_a_moment_and_workers_are_not_affected(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch, come: Callable[[Path], list[socket.socket]]
) -> None:
    """ZeroMQ keeps 32 KiB of each until the queue is empty, and aborts without a file for one."""
    monkeypatch.setattr(handshakes, "MOST_BEHIND", 8)
    monkeypatch.setattr(connections, "MOST_UNPROVEN", 64)
    with closing(rig):
        seen, back = FrameList(), FrameList()
        router = rig.router(seen)
        assert router._handshakes is not None  # only it knows of the crowd
        rig.dealer(back)
        await back.until(lambda frames: frames == [b""])
        peers = come(rig.path)
        time.sleep(0.3)  # noqa: ASYNC251 - the loop is busy: all of them queue up
        await until(lambda: not rig.path.exists())
        router.send(PEER.encode(), b"still here")
        await back.until(lambda frames: b"still here" in frames)
        await until(rig.path.exists)
        for peer in peers:
            peer.close()
        rig.dealer(lambda body: None, "irc:new#1").send(b"mine")
        await seen.until(lambda frames: (b"irc:new#1", b"mine") in frames)
        assert bodies(back.frames) == [b"still here"]


async def test_many_workers_at_once_are_no_crowd(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MOST_BEHIND", 8)
    with closing(rig):
        seen = FrameList()
        router = rig.router(seen)
        assert router._handshakes is not None  # it reports the crowd
        hidden = FrameList()
        router._handshakes._on_crowd = lambda: hidden(1)
        for number in range(40):
            rig.dealer(lambda body: None, f"irc:a{number}#1").send(b"mine")
        time.sleep(0.3)  # noqa: ASYNC251 - all of them queue up
        await seen.until(lambda frames: len(frames) == 40)
        assert hidden.frames == []


async def test_workers_that_find_the_backlog_full_try_again(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipc.zeromq.socket.BACKLOG", 1)
    with closing(rig):
        seen = FrameList()
        rig.router(seen)
        for number in range(60):
            rig.dealer(lambda body: None, f"irc:a{number}#1").send(b"mine")
        await seen.until(lambda frames: len(frames) == 60)


@pytest.mark.parametrize(
    ("files", "waiting"), [(64, 4), (1024, 64), (8192, BACKLOG), (resource.RLIM_INFINITY, BACKLOG)]
)
def test_connections_that_wait_take_only_a_part_of_the_files(
    monkeypatch: pytest.MonkeyPatch, files: int, waiting: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    assert backlog() == waiting
