"""Connects the pipes of a helper program with the event loop (see ``ipc.helpers``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from ipc.helpers import Helper


async def connect_pipes(
    process: Helper,
    output: asyncio.StreamReader,
    errors: asyncio.StreamReader,
    opened: list[asyncio.BaseTransport],
) -> asyncio.StreamWriter:
    """Feed stdout and stderr to two readers; return a writer to stdin.

    Each transport is appended to ``opened`` at once, so that it can be closed if a later one fails.
    """
    loop = asyncio.get_running_loop()
    for reader, pipe in ((output, process.stdout), (errors, process.stderr)):
        protocol = partial(asyncio.StreamReaderProtocol, reader)
        opened.append((await loop.connect_read_pipe(protocol, pipe))[0])
    flow = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await loop.connect_write_pipe(lambda: flow, process.stdin)
    opened.append(transport)
    return asyncio.StreamWriter(transport, flow, None, loop)


async def lines_of(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines that a program writes, in pieces where one exceeds the reader's limit."""
    while True:
        try:
            line = await reader.readline()
        except ValueError:  # longer than may be; the rest comes as lines of its own
            continue
        if not line:
            return
        yield line
