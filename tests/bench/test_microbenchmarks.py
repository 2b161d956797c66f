"""When a piece cannot be measured, the reason is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import microbenchmarks


def test_the_error_of_a_piece_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_piece.py").write_text("def test_it():\n    assert not 'broken piece'\n")
    monkeypatch.setattr(microbenchmarks, "PIECES", str(tmp_path))
    with pytest.raises(RuntimeError, match="broken piece"):
        microbenchmarks.run()


def test_why_pytest_itself_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-plugin")
    with pytest.raises(RuntimeError, match=r"(?s)exit code 4.*--no-such-plugin"):
        microbenchmarks.run()
