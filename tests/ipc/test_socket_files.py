"""A socket file is told from a later one, also where the kernel gives its number again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import zmq

from ipc.socket_files import identity
from ipc.websocket.server import Server
from ipc.zeromq.binding import Binding
from tests.support.until import until

MOST = 500  # files that are made until one has the number of the removed one


async def until_later(path: Path) -> None:
    """Wait until a file that is made now has another time than ``path``."""
    beside = path.with_name("clock")

    def later() -> bool:
        beside.touch()
        return beside.lstat().st_mtime_ns > path.lstat().st_mtime_ns

    await until(later)
    beside.unlink()


@contextmanager
def bound_again(path: Path, number: int) -> Iterator[None]:
    """Bind another socket to ``path``, whose file has the inode ``number``."""
    with ExitStack() as stack:
        for count in range(MOST):
            other = stack.enter_context(socket.socket(socket.AF_UNIX))
            beside = path.with_name(f"o{count}")
            other.bind(str(beside))
            if beside.lstat().st_ino == number:
                beside.rename(path)
                yield
                return
        pytest.skip("this file system gives no number of a removed file again")


async def test_a_later_file_with_the_same_inode_is_another(short_path: Path) -> None:
    path = short_path / "s"
    assert identity(path) is None
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(path))
        before, number = identity(path), path.lstat().st_ino
        assert before == identity(path)
        await until_later(path)
        path.unlink()
    with bound_again(path, number):
        assert identity(path) not in (before, None)


async def test_a_server_that_ends_leaves_the_file_of_its_successor(short_path: Path) -> None:
    path = short_path / "s"
    server = await Server.start(
        path,
        on_connect=lambda connection: None,
        on_text=lambda connection, data: None,
        on_close=lambda connection: None,
    )
    number = path.lstat().st_ino
    await until_later(path)
    path.unlink()
    server.stop_accepting()
    with bound_again(path, number):
        await server.close(1001, "over")
        assert path.exists()


async def test_a_binding_that_ends_leaves_the_file_of_its_successor(short_path: Path) -> None:
    path = short_path / "s"
    with zmq.Context() as context:
        binding = Binding(path)
        with context.socket(zmq.ROUTER) as router:
            binding.open(router)
            number = path.lstat().st_ino
            await until_later(path)
            path.unlink()
        with bound_again(path, number):
            binding.close()
            assert path.exists()
