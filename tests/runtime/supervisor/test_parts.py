"""What a supervisor consists of, and what it knows of its own process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runtime.supervisor.parts import SupervisorProcess
from tests.support.accounts import spec_of
from tests.support.parts_rig import PartsRig


def test_the_process_has_its_version_its_number_its_pid_and_its_start() -> None:
    about = SupervisorProcess("1.2", 7)
    assert (about.version, about.boot, about.pid) == ("1.2", 7, os.getpid())
    assert abs(about.started_at / 1000 - time.time()) < 10.0


def test_the_use_of_cpu_is_since_the_last_question() -> None:
    about = SupervisorProcess("1.2", 7)
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    assert (about.cpu_percent() or 0.0) > 0.0


async def test_parts_cannot_be_exchanged_and_show_the_accounts(tmp_path: Path) -> None:
    rig = PartsRig(tmp_path)
    rig.parts.roster.add(spec_of("local:a", enabled=False))
    assert list(rig.parts.accounts) == ["local:a"]
    with pytest.raises(AttributeError):
        rig.parts.secret = b"another"  # type: ignore[misc]
    await rig.parts.roster.close()
    rig.close()
