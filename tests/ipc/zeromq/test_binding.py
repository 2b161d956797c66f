"""Tests the file of a bound socket: hidden for a moment, and given back."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from ipc.zeromq import binding
from ipc.zeromq.binding import Binding
from tests.support.short_directory import ShortDirectory
from tests.support.until import until


@pytest.fixture
def place() -> Iterator[Path]:
    with ShortDirectory() as place:
        yield place


@contextmanager
def bound(place: Path) -> Iterator[Binding]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router, file = context.socket(zmq.ROUTER), Binding(place / "data.ipc")
    try:
        file.open(router)
        yield file
    finally:
        file.close()
        context.destroy(linger=0)


def names(place: Path) -> list[str]:
    return os.listdir(place)


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(str(path))
        except OSError:
            return False
    return True


async def test_a_hidden_file_is_back_after_a_moment_and_is_the_same(place: Path) -> None:
    with bound(place) as file:
        before = file.path.stat().st_ino
        file.hide()
        file.hide()
        assert not connects(file.path)
        assert len(names(place)) == 1, "under one other name"
        await until(file.path.exists)
        assert file.path.stat().st_ino == before
        assert connects(file.path)
        assert names(place) == [file.path.name]


async def test_a_file_that_is_hidden_is_not_bound_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The periodic check takes it for removed otherwise."""
    monkeypatch.setattr(binding, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(binding, "HIDDEN_SECONDS", 0.3)
    with bound(place) as file:
        file.hide()
        await asyncio.sleep(0.1)
        assert not file.path.exists()
        await until(file.path.exists)
        assert connects(file.path)


async def test_a_file_is_hidden_for_longer_while_peers_keep_coming_but_not_for_ever(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding, "HIDDEN_SECONDS", 0.05)
    monkeypatch.setattr(binding, "MOST_HIDDEN_SECONDS", 0.3)
    with bound(place) as file:
        clock = asyncio.get_running_loop().time
        begin = clock()
        file.hide()
        while not file.path.exists():
            file.hide()
            await asyncio.sleep(0.005)
        assert clock() - begin > 0.2
        assert names(place) == [file.path.name]


async def test_the_file_of_another_binder_stays_and_nothing_is_left(place: Path) -> None:
    with bound(place) as file:
        file.hide()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(file.path))
            inode = file.path.stat().st_ino
            await until(lambda: names(place) == [file.path.name])
            file.hide()
            assert file.path.stat().st_ino == inode, "another's is not hidden"
    assert names(place) == [file.path.name]


@pytest.mark.parametrize("end", ["close", "replace"])
async def test_the_end_of_a_hidden_file_leaves_nothing(place: Path, end: str) -> None:
    with bound(place) as file:
        file.hide()
        if end == "replace":
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            file.replace(context.socket(zmq.ROUTER))
            assert connects(file.path)
            assert names(place) == [file.path.name]
            file.close()
            context.destroy(linger=0)
        else:
            file.close()
        await asyncio.sleep(0.15)
        assert names(place) == []


async def test_a_file_that_is_gone_cannot_be_hidden(place: Path) -> None:
    with bound(place) as file:
        os.unlink(file.path)
        file.hide()
        assert names(place) == []
