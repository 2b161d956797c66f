"""The reserve and the floor of the journal's disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runtime.gateway.journal.space import RESERVE_BYTES, Space


def test_a_reserve_is_kept_and_can_be_given_away(tmp_path: Path) -> None:
    space = Space(tmp_path / "journal.db")
    space.reserve()
    reserve = tmp_path / "journal.db-reserve"
    assert reserve.stat().st_size == RESERVE_BYTES
    space.release()
    space.release()
    assert not reserve.exists()


def test_a_reserve_whose_making_was_killed_is_completed(tmp_path: Path) -> None:
    reserve = tmp_path / "journal.db-reserve"
    reserve.touch()
    Space(tmp_path / "journal.db").reserve()
    assert reserve.stat().st_size == RESERVE_BYTES


def test_a_named_pipe_in_the_place_of_the_reserve_is_not_waited_for(tmp_path: Path) -> None:
    reserve = tmp_path / "journal.db-reserve"
    os.mkfifo(reserve)
    Space(tmp_path / "journal.db").reserve()
    assert reserve.is_fifo()


def test_below_the_floor_nothing_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Space(tmp_path / "journal.db", floor_bytes=1000)
    space.require()
    monkeypatch.setattr(space, "_free_bytes", lambda: (999, 1 << 40))
    space.require()  # it looks seldom
    space.release()
    with pytest.raises(OSError, match="No space left") as caught:
        space.require()
    assert caught.value.errno == errno.ENOSPC
    space.reserve()
    assert not (tmp_path / "journal.db-reserve").exists()


def test_a_small_disk_has_a_small_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space(tmp_path / "journal.db")
    monkeypatch.setattr(space, "_free_bytes", lambda: (1 << 20, 10 << 20))
    space.require()
