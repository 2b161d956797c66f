from __future__ import annotations

from pathlib import Path

import pytest

from runtime.supervisor.processes.memory import VMSTAT, MemoryKills


def test_a_higher_count_is_told_once(tmp_path: Path) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("pgfault 3\noom_kill 4\nother 1\n")
    kills = MemoryKills(vmstat)
    assert not kills.more()
    vmstat.write_text("oom_kill 5\n")
    assert kills.more()
    assert not kills.more()


@pytest.mark.parametrize("text", ["", "oom_kill\n", "oom_kill many\n", "pgfault 3\n"])
def test_a_kernel_that_does_not_count_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "vmstat").write_text(text)
    assert not MemoryKills(tmp_path / "vmstat").more()
    assert not MemoryKills(tmp_path / "none").more()


def test_this_kernel_counts() -> None:
    assert "oom_kill " in VMSTAT.read_text()
