"""The names of runs: alike for a state directory, whatever path leads there, and never the same."""

from __future__ import annotations

from pathlib import Path

from runtime.supervisor.run_id import new_run_id, runs_of


def test_each_run_has_a_name_of_its_own_that_begins_like_all_of_its_state_directory(
    tmp_path: Path,
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "state")
    first, second = new_run_id(tmp_path / "state"), new_run_id(tmp_path / "link")
    assert first != second
    assert first.rpartition("-")[0] == second.rpartition("-")[0] == runs_of(tmp_path / "state")


def test_runs_of_other_state_directories_begin_otherwise(tmp_path: Path) -> None:
    assert runs_of(tmp_path / "one") != runs_of(tmp_path / "two")
