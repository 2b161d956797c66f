"""A child that prints into a log store through real pipes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import cast

from runtime.supervisor.logs.capture import LineCapture
from runtime.supervisor.logs.line import Line
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.process import SpawnedProcess

KEY = "irc:libera"


class Printer:
    """The writing ends of a child's pipes, and the captured lines."""

    def __init__(self, capture: LineCapture, out: int, err: int, lines: list[Line]) -> None:
        self.capture = capture
        self.out = out
        self.err = err
        self.lines = lines

    async def until(self, condition: Callable[[], bool]) -> None:
        """Run the loop until ``condition`` holds; the test's time limit ends the wait."""
        while not condition():  # noqa: ASYNC110 — each turn of the loop is what is waited for
            await asyncio.sleep(0)

    async def count(self, lines: int) -> None:
        """Wait until so many lines were captured."""
        await self.until(lambda: len(self.lines) == lines)

    @property
    def texts(self) -> list[str]:
        return [line["text"] for line in self.lines]


@contextlib.asynccontextmanager
async def printing(store: LogStore) -> AsyncIterator[Printer]:
    (out_reader, out), (err_reader, err) = os.pipe(), os.pipe()
    for reader in (out_reader, err_reader):
        os.set_blocking(reader, False)
    lines: list[Line] = []
    store.subscribe(lambda name, line: lines.append(line) if name == KEY else None)
    process = cast(SpawnedProcess, SimpleNamespace(stdout=out_reader, stderr=err_reader))
    capture = store.capture(KEY, 7, process)
    try:
        yield Printer(capture, out, err, lines)
    finally:
        capture.close()
        for writer in (out, err):
            with contextlib.suppress(OSError):
                os.close(writer)


def on_disk(store: LogStore, name: str = KEY) -> list[Line]:
    store.flush()
    text = (store._directory / f"{name}.log").read_text()  # the file itself
    return [json.loads(line) for line in text.splitlines()]
