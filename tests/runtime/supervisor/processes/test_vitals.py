from __future__ import annotations

import os
import subprocess

import psutil
import pytest

from runtime.supervisor.processes import vitals


def test_a_living_process_has_figures() -> None:
    assert (vitals.rss_bytes(os.getpid()) or 0) > 1_000_000
    assert (vitals.cpu_seconds(os.getpid()) or 0.0) > 0.0
    assert vitals.state(os.getpid()) == psutil.STATUS_RUNNING
    assert vitals.STOPPED == psutil.STATUS_STOPPED


def test_a_process_that_is_gone_has_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert vitals.rss_bytes(process.pid) is None
    assert vitals.cpu_seconds(process.pid) is None
    assert vitals.state(process.pid) is None


@pytest.mark.parametrize("error", [OSError(5, "gone"), ValueError("odd"), psutil.AccessDenied(1)])
def test_a_kernel_that_tells_nothing_costs_only_the_figure(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(pid: int) -> None:
        raise error

    monkeypatch.setattr(psutil, "Process", hidden)
    assert vitals.state(os.getpid()) is None
