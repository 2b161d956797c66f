"""The daemon where the kernel holds its accounts to their limits: in a delegated group.

Skipped where this machine's tree of version 2 has no controller for memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import Result
from tests.support.daemon import Daemon

pytestmark = pytest.mark.e2e

ONE, TWO = "faulty:one", "local:two"
MIB = 2**20
CONFIG: dict[str, Any] = {
    "channels": {
        "faulty": {"accounts": {"one": {}}},
        "local": {"accounts": {"two": {}}},
    },
    "supervisor": {
        # So seldom that nothing is seen by looking: what happens is the kernel's doing.
        "beatSeconds": 60,
        "suspectAfterSeconds": 120,
        "silentAfterSeconds": 180,
        "limits": {"memorySoftBytes": None, "memoryHardBytes": 96 * MIB, "processes": 40},
    },
}


@pytest.fixture
def group() -> Iterator[Path]:
    """A group that is marked as ours."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            base = Path(line.split()[4])
            break
    else:
        pytest.skip("control groups of version 2 are not mounted")
    if "memory" not in (base / "cgroup.controllers").read_text().split():
        pytest.skip(f"{base}: no controller for memory")
    path = base / f"test-{os.getpid()}"
    try:
        (base / "cgroup.subtree_control").write_text("+memory +pids +cpu")
        path.mkdir()
        os.setxattr(path, "user.delegate", b"1")
    except OSError as error:
        pytest.skip(f"no group may be made: {error}")
    yield path
    for each, _, _ in os.walk(path, topdown=False):
        os.rmdir(each)


def groups(path: Path) -> list[str]:
    return sorted(each.name for each in path.glob("trunkline-[0-9]*/*") if each.is_dir())


def paths(group: Path, name: str) -> list[Path]:
    return list(group.glob(f"trunkline-*/{name}"))


async def test_the_kernel_kills_an_account_above_its_limit_and_the_cause_is_shown(
    tmp_path: Path, faulty_path: str, group: Path
) -> None:
    daemon = Daemon(tmp_path, CONFIG, PYTHONPATH=faulty_path)
    daemon.prefix = ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group))
    async with daemon:
        daemon.prefix = ()
        status = await daemon.wait(lambda s: all(s["accounts"][k]["readyAt"] for k in (ONE, TWO)))
        assert status["supervisor"]["limitsBy"] == f"control groups in {group}"
        before = status["accounts"]
        names = [f"{key}#{before[key]['incarnation']}" for key in (ONE, TWO)]
        assert groups(group) == names
        client = await daemon.client()
        params = {"channel": "faulty", "accountId": "one", "to": "x", "message": "leak-memory"}
        await client.call("send", params | {"idempotencyKey": "1"})
        await client.close()
        after = await daemon.wait(
            lambda s: s["accounts"][ONE]["restarts"] and s["accounts"][ONE]["phase"] == "running"
        )
        events = (await daemon.call("channels.events", {"account": ONE}))["events"]
        assert "out_of_memory" in [event.get("exitCause") for event in events]
        assert after["accounts"][TWO]["pid"] == before[TWO]["pid"]
        assert groups(group) == [f"{ONE}#{after['accounts'][ONE]['incarnation']}", names[1]]
        told = Result(*await daemon.command("channels", "describe", ONE))
        assert f"96.0 MiB hard; by control groups in {group}" in told.out
        await limits_follow_the_configuration(daemon, group, names[1])
    assert groups(group) == []


async def limits_follow_the_configuration(daemon: Daemon, group: Path, name: str) -> None:
    """Raise the limits in the file: they count without a restart."""
    (files,) = paths(group, name)
    assert (files / "memory.max").read_text().strip() == str(96 * MIB)
    assert (files / "pids.max").read_text().strip() == "40"
    limits = CONFIG["supervisor"]["limits"] | {"memoryHardBytes": 128 * MIB}
    daemon.write(CONFIG | {"supervisor": CONFIG["supervisor"] | {"limits": limits}})
    await daemon.command("config", "reload")
    assert (files / "memory.max").read_text().strip() == str(128 * MIB)
