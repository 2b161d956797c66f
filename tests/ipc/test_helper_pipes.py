"""The pipes of a helper are connected, and what it writes to stderr is logged, up to a limit."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from ipc.helper_pipes import LEAST_BYTES, LINE_BYTES, LOGGED_BYTES, StderrLog, connect_pipes
from ipc.helpers import PIPE, start_helper

ECHO = "import sys; text = sys.stdin.read(); print(text); print(text.upper(), file=sys.stderr)"
FITTING = b"x" * LINE_BYTES
MOST = LOGGED_BYTES // LEAST_BYTES  # short lines that are logged


def logging(seconds: float | None = None) -> tuple[StderrLog, list[Any]]:
    capture = LogCapture()
    log = structlog.wrap_logger(None, processors=[capture])
    return StderrLog(log, "prog", seconds), capture.entries


async def logged(*written: bytes) -> tuple[list[str], dict[str, int], str]:
    """Return the lines that are logged, the counts of the others, and the last words."""
    stderr, entries = logging()
    errors = asyncio.StreamReader()
    reading = asyncio.create_task(stderr.read(errors))
    for piece in written:
        errors.feed_data(piece)
        await asyncio.sleep(0)  # it is read as a piece
    errors.feed_eof()
    await reading
    assert {each["child"] for each in entries} <= {"prog"}
    lines = [each["event"] for each in entries if each["log_level"] == "info"]
    (left_out,) = [each for each in entries if each["log_level"] == "warning"] or [{}]
    assert not left_out or entries[-1] is left_out
    counts = {name: left_out[name] for name in ("lines", "bytes") if left_out}
    return lines, counts, stderr.last_words


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
    ("written", "lines", "left_out", "last"),
    [
        ([], [], (), ""),
        ([b"a\n\n  b \n"], ["a", "  b"], (), "b"),
        ([b"a\nb"], ["a", "b"], (), "b"),
        ([b"a", b"b\nc", b"\n"], ["ab", "c"], (), "c"),
        ([b"a\0\xff\n"], ["a\ufffd"], (), "a\ufffd"),
        ([FITTING + b"\na\n"], [FITTING.decode(), "a"], (), "a"),
        # Too long: it hides no other line.
        ([FITTING + b"y\na\n"], ["a"], (1, LINE_BYTES + 2), "a"),
        ([FITTING, b"y", b"z\na\n"], ["a"], (1, LINE_BYTES + 3), "a"),
        ([FITTING + b"y"], [], (1, LINE_BYTES + 1), ""),
        # Too much.
        ([b"a\n" * MOST], ["a"] * MOST, (), "a"),
        ([b"a\n" * MOST, b"b\n" * 9], ["a"] * MOST, (9, 18), "b"),
        ([b"a\n" * MOST + b"b\nc"], ["a"] * MOST, (2, 3), "c"),
        ([b"a\n" * MOST + b"b", b"c", b"d\n", b"e\n"], ["a"] * MOST, (2, 6), "e"),
        ([(FITTING + b"\n") * 3 + b"b\n" + FITTING + b"\nc"], [FITTING.decode()] * 3 + ["b"],
         (2, LINE_BYTES + 2), "c"),
    ],
)  # fmt: skip
async def test_stderr_is_logged_line_by_line_up_to_a_limit(
    written: list[bytes], lines: list[str], left_out: tuple[int, ...], last: str
) -> None:
    found, counts, words = await logged(*written)
    assert found == lines
    assert tuple(counts.values()) == left_out
    assert words == last


@pytest.mark.virtual_time
async def test_a_limit_of_a_period_is_renewed_and_what_was_left_out_is_told_once_for_each() -> None:
    stderr, entries = logging(5.0)
    errors = asyncio.StreamReader()
    reading = asyncio.create_task(stderr.read(errors))
    for number in range(2):
        errors.feed_data(b"a\n" * (MOST + 3) + b"b")
        await asyncio.sleep(4.9)
        assert len(entries) == MOST
        await asyncio.sleep(0.2)
        assert entries[MOST:] == [
            {
                "event": "the program wrote more to stderr than is logged",
                "log_level": "warning",
                "child": "prog",
                "lines": 4,
                "bytes": 7 + number,
            }
        ]
        errors.feed_data(b"\n")  # of the line that was left out
        await asyncio.sleep(5)
        entries.clear()
    reading.cancel()
    await asyncio.wait([reading])
    assert entries == []


async def test_what_is_left_out_is_read_in_large_pieces() -> None:
    """A line costs nothing beyond the limit: the program would wait for each of them."""
    written = [b"a\n" * LOGGED_BYTES] * 200
    lines, counts, _ = await logged(*written)
    total = sum(map(len, written))
    assert len(lines) == MOST
    assert counts == {"lines": total // 2 - MOST, "bytes": total - 2 * MOST}
