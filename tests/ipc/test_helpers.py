"""Programs whose starter waits for them are known from their first moment until they are reaped."""

from __future__ import annotations

import subprocess
import threading

from ipc.helpers import helpers_spared, remember


def test_a_helper_is_known_until_it_was_waited_for() -> None:
    process = remember(lambda: subprocess.Popen(["cat"], stdin=subprocess.PIPE))
    with process, helpers_spared() as helpers:
        assert process.pid in helpers
    with helpers_spared() as helpers:
        assert process.pid not in helpers
    assert process.returncode == 0


def test_none_is_started_while_orphans_are_reaped() -> None:
    began, pids = threading.Event(), []

    def start() -> None:
        began.set()
        with remember(lambda: subprocess.Popen(["true"])) as process:
            pids.append(process.pid)

    thread = threading.Thread(target=start)
    with helpers_spared():
        thread.start()
        began.wait()
        thread.join(0.05)
        assert pids == []
    thread.join()
    assert len(pids) == 1
