"""Files of a history: bounded, read back, and harmless where they fail."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from runtime.gateway.figures.history_file import HistoryFile
from runtime.gateway.figures.history_ring import HistoryRing, Sample
from tests.support.tiny_disk import tiny_disk

SLOTS = 4


class Kept:
    """A ring with its files, as one gateway has them."""

    def __init__(self, folder: Path) -> None:
        self.ring = HistoryRing(1, SLOTS)
        self.file = HistoryFile(folder / "figures" / "10s", SLOTS)
        self.file.restore(self.ring)

    def add(self, number: int, *names: str) -> None:
        samples = {name: Sample(messages_in=number) for name in names}
        self.file.append(number, self.ring.add(number, samples), self.ring.places)

    def numbers(self) -> list[int]:
        return [number for number, _ in self.ring.rows]


def sizes(folder: Path) -> list[int]:
    return [each.stat().st_size for each in sorted((folder / "figures").iterdir())]


def test_a_new_gateway_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for number in range(1, 8):
        kept.add(number, "irc:a", *["irc:b"][: number % 2])
        kept = Kept(tmp_path)
    assert kept.numbers() == [4, 5, 6, 7]
    assert kept.ring.series("in", ["irc:a", "irc:b"], 4, 4) == [[4, 5, 6, 7], [None, 5, None, 7]]
    assert [each.stat().st_mode & 0o777 for each in (tmp_path / "figures").iterdir()] == [0o600] * 2


def test_the_files_are_bounded(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for number in range(100, 100 + SLOTS * 2):
        kept.add(number, "irc:a")
    full = sizes(tmp_path)
    for number in range(100 + SLOTS * 2, 100 + SLOTS * 20):
        kept.add(number, "irc:a")
        assert all(size <= most for size, most in zip(sizes(tmp_path), full, strict=True))
    assert Kept(tmp_path).numbers() == kept.numbers()


def test_what_was_written_by_half_is_written_over(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.add(1, "irc:a")
    with (tmp_path / "figures" / "10s.0").open("ab") as file:
        file.write(b"\x30\0\0\0half")
    kept = Kept(tmp_path)
    assert kept.numbers() == [1]
    kept.add(2, "irc:a")
    assert Kept(tmp_path).numbers() == [1, 2]


@pytest.mark.parametrize("begun", [0, 5])
def test_files_that_are_gone_are_made_again(tmp_path: Path, begun: int) -> None:
    kept = Kept(tmp_path)
    for number in range(1, begun + 1):
        kept.add(number, "irc:a")
    for each in (tmp_path / "figures").glob("*"):
        each.unlink()
    kept.add(9, "irc:a")
    assert Kept(tmp_path).numbers() == [9]


def test_a_named_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    pipe = tmp_path / "figures" / "10s.0"
    os.mkfifo(pipe)
    kept = Kept(tmp_path)
    kept.add(1, "irc:a")
    pipe.unlink()
    kept.add(2, "irc:a")
    assert Kept(tmp_path).numbers() == [2]


def test_another_history_beside_it_is_not_mixed_in(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for number in range(1, SLOTS + 2):
        kept.add(number, "irc:a")
    (tmp_path / "figures" / "10s.1").write_bytes(b"damaged")
    later = Kept(tmp_path)
    assert later.numbers() == [1, 2, 3, 4]
    later.add(6, "irc:a")
    assert Kept(tmp_path).numbers() == [2, 3, 4, 6]


def fill(path: Path) -> None:
    """Write until nothing fits any more."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with tiny_disk(tmp_path / "disk") as place:
        yield place


def test_a_full_disk_costs_nothing_but_what_did_not_fit(disk: Path) -> None:
    kept = Kept(disk)
    kept.add(1, "irc:a")
    filler = disk / "filler"
    fill(filler)
    with capture_logs() as logs:
        for number in (2, 3):
            kept.add(number, *(f"irc:{n}" for n in range(2000)))
    assert len(logs) == 1
    filler.unlink()
    kept.add(4, "irc:a")
    assert kept.numbers() == [1, 2, 3, 4]
    assert Kept(disk).numbers() == [1, 4]
