"""Files of lines: rotation, totals, tails and a disk that fails."""

from __future__ import annotations

import json
import os
import resource
import stat
from pathlib import Path

import pytest

from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.logs.store import RETRY_DISK, RING, LogFile, LogStore
from tests.support.printing import KEY, on_disk, printing


async def test_only_its_owner_may_read_a_log(store: LogStore) -> None:
    store.add(KEY, {"text": "x"})
    store.flush()
    path = store._directory / f"{KEY}.log"  # the file itself
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


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


async def test_the_log_of_an_account_that_is_no_more_stays_on_disk_alone(store: LogStore) -> None:
    files = len(os.listdir("/proc/self/fd"))
    store.add(KEY, {"text": "last"})
    store.forget(KEY)
    store.forget("local:never")
    assert not store._files  # an open file shows nowhere else
    assert len(os.listdir("/proc/self/fd")) == files
    assert on_disk(store)[-1]["text"] == "last"
    store.add(KEY, {"text": "it has come back"})
    assert on_disk(store)[-1]["text"] == "it has come back"


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


def test_a_single_log_file_is_truncated_instead_of_rotated(tmp_path: Path) -> None:
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


def test_a_line_that_only_half_fits_is_written_once_there_is_room(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "a.log", 10_000, 2)
    file.write([{"n": 1}], 0.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9 + 9 + 4, limits[1]))  # one more, and a half
    try:
        file.write([{"n": 2}, {"n": 3}, {"n": 4}], 0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a.log").read_text() == '{"n": 1}\n{"n": 2}\n'
    assert file.failures == 1
    file.write([{"n": 5}], RETRY_DISK)
    assert [line["n"] for line in file.tail(9)] == [1, 2, 3, 4, 5]
    assert not file.ring
    file.close()


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
    assert len(file.ring) == 0
    assert [line["n"] for line in file.tail(3)] == [RING + 98, RING + 99, -1]
    file.close()
    gap, *lines = map(json.loads, file.path.read_text().splitlines())
    assert (gap["lost"], gap["text"]) == (100, "(100 lines were lost here: Not a directory)")
    assert [line["n"] for line in lines] == [*range(100, RING + 100), -1]


def test_lines_that_cannot_be_written_again_and_again_come_once(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    file = LogFile(tmp_path / "logs" / "a.log", 10_000, 2)
    for number in range(4):
        file.write([{"n": number}], number * RETRY_DISK)
    assert (file.failures, file.lost) == (4, 0)
    (tmp_path / "logs").unlink()
    file.write([], 60.0)
    file.close()
    lines = [json.loads(line)["n"] for line in file.path.read_text().splitlines()]
    assert lines == [0, 1, 2, 3]


async def test_logs_that_cannot_be_written_are_a_warning_until_they_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.supervisor.logs.store.RETRY_DISK", 0.0)
    (tmp_path / "logs").touch()
    store = LogStore(tmp_path / "logs", LoggingConfig())
    for name in ("irc:a", "irc:b", "irc:c", "irc:d"):
        store.add(name, {"n": 1})
    store.flush()
    (warning,) = store.warnings
    assert "logs: not written: Not a directory; of irc:a, irc:b, irc:c and 1 more" in warning
    (tmp_path / "logs").unlink()
    store.retry()
    assert store.warnings == []
    assert len(store.tail(None, 9)) == 4
    store.close()


def test_a_named_pipe_in_the_place_of_a_log_costs_the_file_not_the_lines(tmp_path: Path) -> None:
    """Opening it would wait for its other end, and all accounts with it."""
    file = LogFile(tmp_path / "a.log", 1000, 2)
    os.mkfifo(file.path)
    file.write([{"text": "one"}], 0.0)
    assert (file.failures, file.tail(5)) == (1, [{"text": "one"}])
    file.path.unlink()
    file.write([{"text": "two"}], 10.0)
    assert [line["text"] for line in file.tail(5)] == ["one", "two"]
    file.close()


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
