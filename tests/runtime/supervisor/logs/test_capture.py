"""What children print is cut into lines within bounds, over real pipes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.logs import capture as capture_module
from runtime.supervisor.logs.folding import Folding
from runtime.supervisor.logs.line import LINE_BYTES
from runtime.supervisor.logs.store import LogStore
from tests.support.printing import KEY, on_disk, printing


async def test_each_line_is_written_under_its_account_with_incarnation_and_stream(
    store: LogStore,
) -> None:
    async with printing(store) as child:
        os.write(child.out, b"one\ntw")
        os.write(child.err, b"oops\n")
        os.write(child.out, b"o\r\n")
        await child.until(lambda: len(child.lines) == 3)
    written = on_disk(store)
    assert {(line["text"], line["stream"]) for line in written} == {
        ("one", "stdout"),
        ("two", "stdout"),
        ("oops", "stderr"),
    }
    assert {(line["account"], line["incarnation"]) for line in written} == {(KEY, 7)}
    assert all(line["ts"].endswith("Z") for line in written)


async def test_a_line_without_an_end_is_kept_when_the_child_ends(store: LogStore) -> None:
    async with printing(store) as child:
        os.write(child.out, b"last gasp")
        os.close(child.out)
        await child.until(lambda: child.texts == ["last gasp"])


async def test_what_was_printed_just_before_the_close_is_kept(store: LogStore) -> None:
    async with printing(store) as child:
        os.write(child.out, b"Traceback\nKeyError: 'x'")
    assert child.texts == ["Traceback", "KeyError: 'x'"]


async def test_an_endless_line_is_cut_and_the_next_one_is_whole(store: LogStore) -> None:
    async with printing(store) as child:
        await asyncio.to_thread(os.write, child.out, b"x" * 60_000)
        await asyncio.to_thread(os.write, child.out, b"y" * 60_000 + b"\nnext\n")
        await child.until(lambda: len(child.lines) == 2)
    assert child.texts == ["x" * LINE_BYTES, "next"]
    assert child.lines[0]["cut"] is True
    assert child.capture.dropped == 1


async def test_a_log_bomb_without_a_line_end_is_seen_as_dropped(tmp_path: Path) -> None:
    store, total = LogStore(tmp_path, LoggingConfig(bytes_per_second=1_000)), 10_000_000

    def explode(out: int) -> None:
        for _ in range(total // 50_000):
            os.write(out, b"z" * 50_000)
        os.write(out, b"\nnext\nlast\n")
        os.close(out)

    async with printing(store) as child:
        await asyncio.wait_for(asyncio.to_thread(explode, child.out), 30)
        await child.until(lambda: len(child.capture._streams) == 1)  # one of two has ended
        assert len(child.lines) + child.capture.dropped == 3
        assert child.capture.dropped >= 1
    store.close()


async def test_a_flood_of_output_is_dropped_and_counted_and_blocks_nothing(store: LogStore) -> None:
    total = 40_000_000
    bomb = b"boom " * 200 + b"\n"

    def explode(out: int) -> None:
        for number in range(total // len(bomb)):
            os.write(out, b"%03d" % (number % 1000) + bomb[3:])
        os.close(out)

    async with printing(store) as child:
        await asyncio.wait_for(asyncio.to_thread(explode, child.out), 30)
        await child.until(lambda: len(child.capture._streams) == 1)  # one of two has ended
        kept = len(child.lines)
        assert kept + child.capture.dropped == pytest.approx(total // len(bomb), abs=300)
        assert child.capture.dropped > 20_000
    size = (store._directory / f"{KEY}.log").stat().st_size  # the file itself
    assert size < store.config.max_bytes


async def test_of_many_short_lines_only_some_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    class Counting(Folding):
        def fold(self, line: bytes, now: float) -> tuple[int, bool]:
            nonlocal looked
            looked += 1
            return super().fold(line, now)

    monkeypatch.setattr(capture_module, "Folding", Counting)
    store = LogStore(tmp_path, LoggingConfig(lines_per_second=1, burst_lines=10))
    async with printing(store) as child:
        for _ in range(10):
            written = asyncio.to_thread(os.write, child.out, b"x\ny\n" * 5_000)
            await asyncio.wait_for(written, 30)
        await child.until(lambda: len(child.lines) + child.capture.dropped == 100_000)
        assert looked < 5_000
        os.write(child.err, b"still heard\n")
        await child.until(lambda: child.capture.dropped + len(child.lines) == 100_001)
    store.close()


async def test_what_is_dropped_is_read_at_a_bounded_rate(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_module, "DROP_BYTES_PER_SECOND", 10_000_000)
    loop, total = asyncio.get_running_loop(), 8_000_000

    def explode(out: int) -> None:
        for _ in range(total // 10_000):
            os.write(out, b"boom\n" * 2_000)

    async with printing(store) as child:
        began = loop.time()
        await asyncio.wait_for(asyncio.to_thread(explode, child.out), 30)
        # 2 MB are the burst of what may be kept; pauses may add to the rest, never take from it.
        assert loop.time() - began >= 0.3, "faster than allowed"


async def test_more_lines_than_the_burst_are_dropped_and_counted(tmp_path: Path) -> None:
    store = LogStore(tmp_path, LoggingConfig(lines_per_second=1, burst_lines=10))
    async with printing(store) as child:
        os.write(child.out, b"".join(b"%d\n" % number for number in range(30)))
        await child.until(lambda: len(child.lines) + child.capture.dropped == 30)
        assert 10 <= len(child.lines) <= 12
    store.close()


async def test_the_same_line_again_and_again_is_one_line_and_a_number(store: LogStore) -> None:
    async with printing(store) as child:
        os.write(child.out, b"again\n" * 500 + b"other\n")
        os.write(child.err, b"once\n" * 2)
        await child.until(lambda: "other" in child.texts and "once" in child.texts)
    assert sorted(child.texts) == [
        "(the same 499 times more)",
        "(the same once more)",
        "again",
        "once",
        "other",
    ]
    assert child.capture.dropped == 0
