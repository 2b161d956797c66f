"""Lines from a pipe, from a file and from a pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.actions.keyboard import Keyboard


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:  # closed by the test
            continue


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


async def test_lines_come_one_by_one_then_the_end(pipe: tuple[int, int]) -> None:
    keyboard = Keyboard(pipe[0])
    os.write(pipe[1], b"one\r\ntw")
    assert await keyboard.line() == "one"
    waiting = asyncio.create_task(keyboard.line())
    os.write(pipe[1], b"o\nrest")
    assert await waiting == "two"
    os.close(pipe[1])
    assert await keyboard.line() == "rest"
    assert await keyboard.line() is None


async def test_a_file_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("ann\n")
    with (tmp_path / "answers").open() as file:
        keyboard = Keyboard(file.fileno())
        assert await keyboard.line(secret=True) == "ann"
        assert await keyboard.line() is None


def echoes(fd: int) -> bool:
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


async def test_a_secret_line_is_not_shown_by_the_terminal(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    waiting = asyncio.create_task(Keyboard(slave).line(secret=True))
    await asyncio.sleep(0)
    assert not echoes(slave)
    os.write(master, b"sesame\n")
    assert await waiting == "sesame"
    assert echoes(slave)
    os.write(slave, b"end")
    assert b"sesame" not in os.read(master, 100)


async def test_a_cancelled_line_leaves_the_terminal_as_it_was(terminal: tuple[int, int]) -> None:
    waiting = asyncio.create_task(Keyboard(terminal[1]).line(secret=True))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert echoes(terminal[1])
