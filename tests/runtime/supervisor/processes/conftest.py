from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.supervisor.processes.launcher import Launcher
from runtime.zygote.prctl import set_subreaper


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    """A launcher with a zygote that has begun to import."""
    set_subreaper()
    launcher = Launcher(run_id="run-of-the-test")
    launcher.start()
    yield launcher
    launcher.close()
