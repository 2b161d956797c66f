from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from runtime.config.model import LoggingConfig
from runtime.supervisor.logs import store as logs
from runtime.supervisor.logs.folding import Folding
from runtime.supervisor.logs.store import (
    LINE_BYTES,
    RING,
    Allowance,
    Line,
    LineCapture,
    LogFile,
    LogStore,
    configure,
    read_line,
    redact,
)
from runtime.supervisor.processes.process import SpawnedProcess

KEY = "irc:libera"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LogStore]:
    store = LogStore(tmp_path / "logs", LoggingConfig())
    yield store
    store.close()


class Printer:
    """The writing ends of a child's pipes, and what came out of the capture."""

    def __init__(self, capture: LineCapture, out: int, err: int, lines: list[Line]) -> None:
        self.capture = capture
        self.out = out
        self.err = err
        self.lines = lines

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until ``condition`` holds; the test's time limit ends the wait."""
        while not condition():  # noqa: ASYNC110 — each turn of the loop is what is waited for
            await asyncio.sleep(0)

    async def count(self, lines: int) -> None:
        """Wait until so many lines came out."""
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
    text = (store._directory / f"{name}.log").read_text()
    return [json.loads(line) for line in text.splitlines()]


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


async def test_only_its_owner_may_read_a_log(store: LogStore) -> None:
    store.add(KEY, {"text": "x"})
    store.flush()
    path = store._directory / f"{KEY}.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


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
    assert (child.capture.dropped, child.capture.dropped_bytes) == (1, 120_000 - LINE_BYTES)


async def test_a_log_bomb_without_a_line_end_is_seen_as_dropped(tmp_path: Path) -> None:
    store, total = LogStore(tmp_path, LoggingConfig(bytes_per_second=1_000)), 10_000_000

    def explode(out: int) -> None:
        for _ in range(total // 50_000):
            os.write(out, b"z" * 50_000)
        os.write(out, b"\nnext\nlast\n")
        os.close(out)

    async with printing(store) as child:
        await asyncio.wait_for(asyncio.to_thread(explode, child.out), 30)
        await child.until(lambda: len(child.capture._streams) == 1)
        assert len(child.lines) + child.capture.dropped == 3
        assert child.capture.dropped >= 1
        assert child.capture.dropped_bytes == pytest.approx(total, abs=50_000)
    store.close()


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"\xff\xfe\x00binary", "\\xff\\xfe\x00binary"),
        ("жизнь".encode(), "жизнь"),
        (b"", ""),
        (b"{not json", "{not json"),
        (b'{"a":' * 3000, '{"a":' * 3000),
        (b"{" + b"9" * 6000, "{" + "9" * 6000),
    ],
)
async def test_whatever_is_printed_becomes_a_line_that_can_be_read_again(
    store: LogStore, printed: bytes, text: str
) -> None:
    async with printing(store) as child:
        os.write(child.out, printed + b"\nafter\n")
        await child.until(lambda: len(child.lines) == 2)
    assert [line["text"] for line in on_disk(store)] == [text, "after"]


async def test_half_a_surrogate_does_not_spoil_the_log_of_others(store: LogStore) -> None:
    async with printing(store) as child:
        os.write(child.out, b'{"event": "\\ud800"}\nafter\n')
        await child.until(lambda: len(child.lines) == 2)
        store.add("irc:other", {"text": "mine"})
    assert [line.get("text") for line in on_disk(store)] == ['{"event": "\\ud800"}', "after"]
    assert on_disk(store, "irc:other") == [{"text": "mine"}]


async def test_a_record_without_json_does_not_spoil_the_log_of_others(store: LogStore) -> None:
    store.add(KEY, {"text": "a", "path": Path("/x")})
    circle: Line = {"text": "b"}
    circle["self"] = circle
    store.add(KEY, circle)
    store.add("irc:other", {"text": "mine"})
    assert [line["text"] for line in on_disk(store)] == [
        "a",
        "a record that cannot be written as JSON",
    ]
    assert on_disk(store)[0]["path"] == "/x"
    assert on_disk(store, "irc:other") == [{"text": "mine"}]


async def test_structured_records_keep_their_fields_but_not_another_s_name(
    store: LogStore,
) -> None:
    async with printing(store) as child:
        os.write(child.out, b'{"event": "joined", "account": "irc:other", "ts": "t"}\n')
        await child.until(lambda: len(child.lines) == 1)
    (line,) = child.lines
    assert (line["event"], line["account"], line["ts"]) == ("joined", KEY, "t")


async def test_a_log_bomb_is_dropped_and_counted_and_blocks_nobody(store: LogStore) -> None:
    total = 40_000_000
    bomb = b"boom " * 200 + b"\n"

    def explode(out: int) -> None:
        for number in range(total // len(bomb)):
            os.write(out, b"%03d" % (number % 1000) + bomb[3:])
        os.close(out)

    async with printing(store) as child:
        await asyncio.wait_for(asyncio.to_thread(explode, child.out), 30)
        await child.until(lambda: len(child.capture._streams) == 1)
        kept = len(child.lines)
        assert kept + child.capture.dropped == pytest.approx(total // len(bomb), abs=300)
        assert child.capture.dropped > 20_000
    size = (store._directory / f"{KEY}.log").stat().st_size
    assert size < store.config.max_bytes


async def test_the_log_of_a_child_that_has_ended_is_closed(store: LogStore) -> None:
    files = len(os.listdir("/proc/self/fd"))
    async with printing(store) as child:
        os.write(child.out, b"first\n")
        await child.count(1)
        os.write(child.out, b"last")  # without an end: told when the pipe ends
        os.close(child.out)
        os.close(child.err)
        await child.until(lambda: not store._captures)
        assert [line["text"] for line in on_disk(store)] == ["first", "last"]
    assert len(os.listdir("/proc/self/fd")) == files
    store.add(KEY, {"text": "again"})
    assert on_disk(store)[-1]["text"] == "again"


async def test_of_many_short_lines_only_some_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    class Counting(Folding):
        def take(self, line: bytes, now: float) -> tuple[int, bool]:
            nonlocal looked
            looked += 1
            return super().take(line, now)

    monkeypatch.setattr(logs, "Folding", Counting)
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
    monkeypatch.setattr(logs, "DROP_BYTES_PER_SECOND", 10_000_000)
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


async def test_other_limits_count_at_once_for_what_is_open_too(tmp_path: Path) -> None:
    store = LogStore(tmp_path, LoggingConfig(lines_per_second=1, burst_lines=1, files=9))
    async with printing(store) as child:
        store.reconfigure(store.config)  # nothing new: the allowance is not filled again
        os.write(child.out, b"a\nb\n")
        await child.until(lambda: child.capture.dropped == 1)
        store.flush()
        store.reconfigure(LoggingConfig(max_bytes=4096, files=2))
        for number in range(100):
            os.write(child.out, b"%d %s\n" % (number, b"x" * 500))
            await child.count(number + 2)
            store.flush()
        assert child.capture.dropped == 1
    store.close()
    assert len(sizes(tmp_path)) == 2
    assert max(sizes(tmp_path)) <= 4096 + 600


def sizes(directory: Path) -> list[int]:
    return [path.stat().st_size for path in directory.iterdir()]


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


def test_all_logs_together_stay_within_their_total(tmp_path: Path) -> None:
    config = LoggingConfig(max_bytes=20_000, files=9, total_bytes=65_536)
    store = LogStore(tmp_path, config)
    for number in range(600):
        for name in ("irc:a", "irc:b"):
            store.add(name, {"n": number, "text": "x" * 200})
    store.close()
    written = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sum(written.values()) <= config.total_bytes + 2 * config.max_bytes
    assert {"irc:a.log", "irc:b.log"} <= set(written)
    assert [line["n"] for line in store.tail(["irc:a"], 1)] == [599]


def test_an_allowance_fills_again_up_to_its_burst() -> None:
    allowance = Allowance(rate=2, burst=4)
    assert [allowance.take(100.0, 1) for _ in range(5)] == [True] * 4 + [False]
    assert not allowance.take(100.4, 1)
    assert allowance.take(100.6, 1)
    assert [allowance.take(900.0, 1) for _ in range(5)] == [True] * 4 + [False]


def test_a_full_file_is_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "a.log", max_bytes=200, files=3)
    for number in range(40):
        file.write([{"n": number, "text": "x" * 40}], 0.0)
    file.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.log", "a.log.1", "a.log.2"]
    assert all(path.stat().st_size <= 200 for path in tmp_path.iterdir())
    kept = [
        json.loads(line)["n"]
        for name in ("a.log.2", "a.log.1", "a.log")
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert kept == list(range(40))[-len(kept) :]


def test_one_file_alone_starts_over(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "a.log", max_bytes=200, files=1)
    for number in range(10):
        file.write([{"n": number, "text": "x" * 40}], 0.0)
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
    assert (tmp_path / "a.log").stat().st_size <= 200


def test_a_file_that_was_full_at_the_start_is_rotated_first(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x" * 300)
    file = LogFile(tmp_path / "a.log", max_bytes=200, files=2)
    file.write([{"n": 1}], 0.0)
    file.close()
    assert (tmp_path / "a.log").read_text() == '{"n": 1}\n'


def test_a_full_disk_costs_the_file_not_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()  # where the directory should be
    file = LogFile(tmp_path / "logs" / "a.log", 10_000, 2)
    for number in range(RING + 100):
        file.write([{"n": number}], 0.0)
    assert file.failures == 1  # not tried again for each line
    assert [line["n"] for line in file.tail(3)] == [RING + 97, RING + 98, RING + 99]
    assert len(file.ring) == RING
    (tmp_path / "logs").unlink()
    file.write([{"n": -1}], 60.0)
    file.close()
    assert file.path.read_text() == '{"n": -1}\n'


async def test_the_tail_is_in_the_order_of_time_over_all_logs(store: LogStore) -> None:
    for ts, name in (("1", "irc:a"), ("2", "irc:b"), ("3", "irc:a"), ("4", "supervisor")):
        store.add(name, {"ts": ts})
    assert [line["ts"] for line in store.tail(None, 10)] == ["1", "2", "3", "4"]
    assert [line["ts"] for line in store.tail(None, 2)] == ["3", "4"]
    assert [line["ts"] for line in store.tail(["irc:a"], 10)] == ["1", "3"]
    assert store.tail(["irc:nobody"], 10) == []
    assert store.tail(None, 0) == []


async def test_the_tail_knows_logs_of_earlier_runs(store: LogStore, tmp_path: Path) -> None:
    store.add("irc:a", {"ts": "1"})
    store.close()
    later = LogStore(tmp_path / "logs", LoggingConfig())
    assert later.tail(None, 5) == [{"ts": "1"}]
    later.close()


async def test_the_tail_reads_over_a_rotation_and_skips_what_is_damaged(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "a.log", max_bytes=10_000, files=2)
    (tmp_path / "a.log.1").write_text('{"n": 1}\nhalf a li')
    file.write([{"n": 2}], 0.0)
    assert file.tail(5) == [{"n": 1}, {"n": 2}]
    file.close()


@pytest.mark.parametrize("name", ["token", "gateway_token", "Password", "client_secret"])
def test_values_named_like_secrets_are_hidden(name: str) -> None:
    event = {"event": "connected", name: "hunter2"}
    assert redact(None, "info", event) == {"event": "connected", name: "***"}


def test_our_own_records_are_kept_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LogStore(tmp_path, LoggingConfig())
    try:
        configure(store, level="info", to_stderr=False)
        log = structlog.get_logger("test")
        log.info("spawned", account="irc:a", token="hunter2")
        log.debug("not so important")
        (line,) = on_disk(store, "supervisor")
        assert (line["event"], line["token"], line["level"]) == ("spawned", "***", "info")
        assert "hunter2" not in capsys.readouterr().err
        store.reconfigure(LoggingConfig(level="debug"))
        log.debug("important now")
        assert on_disk(store, "supervisor")[-1]["event"] == "important now"
        configure(store, level="info", to_stderr=True)
        structlog.get_logger("test").warning("careful", password="hunter2")
        printed = capsys.readouterr().err
        assert "careful" in printed
        assert "hunter2" not in printed
    finally:
        structlog.reset_defaults()
        store.close()


def test_a_line_is_read_as_it_is_when_it_is_an_object() -> None:
    line: dict[str, Any] = read_line(b'{"event": "x", "n": 1}')
    assert (line["event"], line["n"]) == ("x", 1)
    assert read_line(b"[1]")["text"] == "[1]"
