"""A zygote whose children are broken by what it has imported, with real processes."""

from __future__ import annotations

import asyncio
import itertools
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import SpawnError, SpawnShortage, Spec
from runtime.supervisor.processes.zygote_check import TARGET, ZygoteCheck
from runtime.zygote.prctl import set_subreaper

HARMLESS = "colorsys"
# An SDK that does something in every process that is forked after its import.
BREAKS = {
    "breaks_all": "import os; os.register_at_fork(after_in_child=lambda: os._exit(3))",
    "breaks_some": """
import os
parent = os.getpid()
os.register_at_fork(after_in_child=lambda: os.getppid() == parent or os._exit(4))
""",
    "kills_it": "import os; os._exit(5)",
}


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launcher]:
    for name, text in BREAKS.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    set_subreaper()
    launcher = Launcher(run_id="run-of-the-test", preload=[HARMLESS])
    launcher.start()
    yield launcher
    launcher.close()


async def works(launcher: Launcher) -> bool:
    return await ZygoteCheck(launcher).repair() is None


async def test_a_sound_one_is_left_alone(launcher: Launcher) -> None:
    pid = launcher.zygote_pid
    check = ZygoteCheck(launcher)
    assert await check.repair() is None
    assert (launcher.zygote_pid, launcher.modules) == (pid, [HARMLESS])
    assert check.warnings == []


@pytest.mark.parametrize("sdk", ["breaks_all", "breaks_some"])
async def test_a_library_that_breaks_what_is_forked_is_found_and_left_out(
    launcher: Launcher, sdk: str
) -> None:
    await launcher.replace([sdk, HARMLESS])
    check = ZygoteCheck(launcher)
    with structlog.testing.capture_logs() as logs:
        fault = await check.repair()
    assert fault is not None
    assert f"the zygote was broken by {sdk} (" in fault
    assert [line["event"] for line in logs] == ["children of the zygote do not survive"]
    assert launcher.modules == [HARMLESS]
    assert await works(launcher)
    assert sdk in check.warnings[0]
    await check.replace([HARMLESS, sdk])  # the configuration has changed
    assert launcher.modules == [HARMLESS]


async def test_one_that_dies_of_an_import_is_replaced_as_ever(launcher: Launcher) -> None:
    await launcher.replace(["kills_it"])
    assert await works(launcher)


async def test_a_broken_one_without_modules_of_its_own_is_replaced(launcher: Launcher) -> None:
    await launcher.replace(["breaks_all"])
    launcher._preload = []  # as after the death of a zygote: nobody knows any more what it was
    fault = await ZygoteCheck(launcher).repair()
    assert fault is not None
    assert fault.endswith("; it was replaced")
    assert await works(launcher)


async def test_what_no_zygote_can_mend_is_named_and_nothing_is_given_up(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def spawn(spec: Spec) -> object:
        raise SpawnError("fork: Resource temporarily unavailable")

    monkeypatch.setattr(launcher, "spawn", spawn)
    check = ZygoteCheck(launcher)
    said = "no process can be started: fork: Resource temporarily unavailable"
    assert await check.repair() == said
    assert (launcher.modules, check.harmful) == ([HARMLESS], set())


async def test_a_zygote_is_not_blamed_for_what_the_supervisor_lacks(launcher: Launcher) -> None:
    pid = launcher.zygote_pid
    check = ZygoteCheck(launcher)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # nothing more can be opened
    try:
        found = await check.repair()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == "no process can be started: Too many open files"
    assert (launcher.zygote_pid, launcher.modules) == (pid, [HARMLESS])
    assert check.harmful == set()
    assert await works(launcher)


@pytest.mark.parametrize("room", [1, 2, 3, 5, 8])
async def test_a_shortage_amid_a_repair_gives_up_no_module(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    await launcher.replace(["breaks_all", HARMLESS])
    spawn, left = launcher.spawn, itertools.count(1)

    async def sometimes(spec: Spec) -> object:
        if next(left) == room:
            raise SpawnShortage("Too many open files")
        return await spawn(spec)

    monkeypatch.setattr(launcher, "spawn", sometimes)
    check = ZygoteCheck(launcher)
    await check.repair()
    assert check.harmful <= {"breaks_all"}
    assert launcher.modules == [
        each for each in ("breaks_all", HARMLESS) if each not in check.harmful
    ]


async def test_a_child_that_hangs_is_ended(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "runtime.supervisor.processes.zygote_check.TARGET", "tests.support.targets:be_deaf"
    )
    monkeypatch.setattr("runtime.supervisor.processes.zygote_check.WITHIN", 0.2)
    said = await asyncio.wait_for(ZygoteCheck(launcher).repair(), 30)
    assert said == "no process can be started: a child of it exited (signal 9)"
    assert TARGET == "runtime.zygote.child:nothing"
