"""The way from the command line to the zygote, and back to an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.supervisor.instance import Instance
from tests.support.startup_stages import Stages, replace_stages, run


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    return replace_stages(monkeypatch)


def test_the_exit_code_is_the_daemons_and_what_it_raises_still_ends_the_zygote(
    tmp_path: Path, stages: Stages
) -> None:
    stages.serve = lambda: 1
    assert run(tmp_path, quiet=True) == 1

    def fail() -> int:
        raise RuntimeError("a bug")

    stages.serve = fail
    with pytest.raises(RuntimeError):
        run(tmp_path, quiet=True)
    assert stages.did[-2:] == ["close", "end"]
    with Instance(tmp_path):  # the lock is free again
        pass


def test_a_state_directory_that_cannot_be_is_named(
    tmp_path: Path, stages: Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    assert run(blocked / "state") == 1  # there is no configuration, and it cannot be written
    assert str(blocked) in capsys.readouterr().err
    impossible = tmp_path / ("x" * 300)
    assert run(impossible) == 1
    assert f"{impossible}" in capsys.readouterr().err
    run(tmp_path / "good", quiet=True)
    (tmp_path / "good" / "boot").unlink()
    (tmp_path / "good" / "boot").mkdir()
    assert run(tmp_path / "good") == 1
    assert "boot" in capsys.readouterr().err
