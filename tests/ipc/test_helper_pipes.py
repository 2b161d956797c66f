"""The pipes of a helper are connected, and what it writes comes line by line."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ipc.helper_pipes import connect_pipes, lines_of
from ipc.helpers import PIPE, start_helper

ECHO = "import sys; text = sys.stdin.read(); print(text); print(text.upper(), file=sys.stderr)"
LIMIT = 64


async def test_a_helper_reads_and_writes_on_the_loop() -> None:
    process = start_helper([sys.executable, "-c", ECHO], stdin=PIPE, stdout=PIPE, stderr=PIPE)
    output, errors = asyncio.StreamReader(), asyncio.StreamReader()
    opened: list[asyncio.BaseTransport] = []
    writer = await connect_pipes(process, output, errors, opened)
    assert len(opened) == 3
    writer.write(b"hi")
    writer.close()
    assert (await output.read(), await errors.read()) == (b"hi\n", b"HI\n")
    assert process.wait() == 0
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"", []),
        (b"a\n\nb\n", [b"a\n", b"\n", b"b\n"]),
        (b"a\nb", [b"a\n", b"b"]),
        (b"x" * LIMIT * 2 + b"\na\n", [b"a\n"]),  # what is too long is dropped
    ],
)
async def test_what_is_too_long_hides_no_other_line(written: bytes, lines: list[bytes]) -> None:
    reader = asyncio.StreamReader(limit=LIMIT)
    reader.feed_data(written)
    reader.feed_eof()
    assert [each async for each in lines_of(reader)] == lines
