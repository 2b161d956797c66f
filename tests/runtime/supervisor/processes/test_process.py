"""How spawned processes are signalled and reaped, with real ones."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

import runtime.supervisor.processes.process as processes
from ipc.frames.words import Phase
from runtime.supervisor.child import Child
from runtime.supervisor.lifecycle import Event, Exit, Start, State, Stop
from runtime.supervisor.policy import Policy
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import SpawnedProcess
from tests.support.spawned import (
    LAUNCHERS,
    ended,
    exists,
    line,
    readable,
    spawned,
    spec,
)
from tests.support.tracer import tracing


@pytest.mark.parametrize("how", LAUNCHERS)
async def test_the_exit_code_is_what_the_coroutine_returned(launcher: Launcher, how: Any) -> None:
    for code in (0, 1, 75, 78, 255):
        async with spawned(launcher, spec("leave", str(code).encode(), launcher=how)) as process:
            assert await process.wait() == Exit(code=code)


@pytest.mark.parametrize("how", LAUNCHERS)
async def test_the_last_report_of_a_process_counts(launcher: Launcher, how: Any) -> None:
    async with spawned(launcher, spec("say_and_leave", launcher=how)) as process:
        end = Exit(code=78, said="misconfigured", text="bad nick: ж", final=True)
        assert await process.wait() == end


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("7200.5", 7200.5),
        ("-1", None),
        ("0", None),
        ("true", None),
        ('"soon"', None),
        ("1e300", None),
    ],
)
async def test_a_time_to_wait_is_taken_where_it_is_one(
    launcher: Launcher, said: str, taken: float | None
) -> None:
    async with spawned(launcher, spec("ask_for_time", said.encode())) as process:
        end = Exit(code=75, said="transient", text="flood wait", retry_after=taken)
        assert await process.wait() == end


@pytest.mark.parametrize("how", LAUNCHERS)
async def test_an_exception_is_printed_and_said(launcher: Launcher, how: Any) -> None:
    async with spawned(launcher, spec("fail", b"nick", launcher=how)) as process:
        end = await process.wait()
        assert end == Exit(code=1, said="failed", text="KeyError: 'nick'")
        assert b"Traceback" in os.read(process.stderr, 65536)


async def test_a_library_that_exits_by_itself_is_seen(launcher: Launcher) -> None:
    async with spawned(launcher, spec("exit_by_itself", b"9")) as process:
        assert await process.wait() == Exit(code=9)


@pytest.mark.parametrize("how", LAUNCHERS)
async def test_a_thread_that_is_stuck_does_not_delay_the_end(launcher: Launcher, how: Any) -> None:
    async with spawned(launcher, spec("keep_a_thread", launcher=how)) as process:
        assert await asyncio.wait_for(process.wait(), 20) == Exit(code=3)


@pytest.mark.parametrize("how", LAUNCHERS)
async def test_sigterm_lets_it_end_by_itself(launcher: Launcher, how: Any) -> None:
    async with spawned(launcher, spec("stop_politely", launcher=how)) as process:
        await line(process.stdout)
        process.terminate()
        assert await process.wait() == Exit(code=0, said="transient", text="asked to stop")


async def test_a_stopped_process_hears_the_sigterm_too(launcher: Launcher) -> None:
    async with spawned(launcher, spec("stop_politely")) as process:
        await line(process.stdout)
        os.kill(process.pid, signal.SIGSTOP)
        process.terminate()
        assert (await process.wait()).code == 0


async def test_one_that_ignores_sigterm_is_killed(launcher: Launcher) -> None:
    async with spawned(launcher, spec("be_deaf")) as process:
        await line(process.stdout)
        process.terminate()
        process.kill()
        assert await process.wait() == Exit(signal=signal.SIGKILL)


async def test_signals_to_one_that_is_gone_do_nothing(launcher: Launcher) -> None:
    async with spawned(launcher, spec("leave", b"0")) as process:
        await process.wait()
        process.terminate()
        process.kill()


@pytest.mark.parametrize("ending", ["die", "kill"])
async def test_what_a_worker_started_ends_with_it(launcher: Launcher, ending: str) -> None:
    payload = b"" if ending == "die" else b"stay"
    async with spawned(launcher, spec("leave_grandchildren", payload)) as process:
        grandchildren = [int(pid) for pid in (await line(process.stdout)).split()]
        if ending == "kill":
            process.kill()
        assert await process.wait() == Exit(signal=signal.SIGKILL)
    for pid in grandchildren:
        assert await ended(pid)


async def test_twenty_that_die_at_once_are_all_seen(launcher: Launcher) -> None:
    processes = [await launcher.spawn(spec("stay", name=f"irc:a#{n}")) for n in range(20)]
    for process in processes:
        await line(process.stdout)
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
    ends = await asyncio.wait_for(asyncio.gather(*(p.wait() for p in processes)), 10)
    assert ends == [Exit(signal=signal.SIGKILL)] * 20
    for process in processes:
        os.close(process.stdout)
        os.close(process.stderr)


async def test_a_stop_while_it_is_being_spawned_leaves_no_process(launcher: Launcher) -> None:
    stopped = asyncio.Event()
    alive: list[int] = []

    def changed(name: str, state: State, event: Event) -> None:
        if state.phase is Phase.STOPPED:
            stopped.set()

    async def spawn(incarnation: int) -> SpawnedProcess:
        process = await launcher.spawn(spec("be_deaf", name=f"irc:a#{incarnation}"))
        os.close(process.stdout)
        os.close(process.stderr)
        alive.append(process.pid)
        return process

    child = Child("irc:a", Policy(stop_within=0.2), spawn, on_change=changed)
    task = asyncio.create_task(child.run())
    child.post(Start())
    child.post(Stop())
    await asyncio.wait_for(stopped.wait(), 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(alive) == 1
    assert not exists(alive[0])


async def test_the_end_of_a_process_that_a_debugger_traces_is_waited_for(
    launcher: Launcher,
) -> None:
    async with spawned(launcher, spec("", command=("sleep", "600"))) as process:
        with tracing(process.pid) as tracer:
            end = await zombie(process)
            assert tracer.stdin is not None
            tracer.stdin.close()  # it ends, and leaves the end to the parent
            assert await asyncio.wait_for(end, 20) == Exit(signal=signal.SIGKILL)
    assert not exists(process.pid)


async def test_a_debugger_that_does_not_let_go_holds_up_nothing(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "TRACED_SECONDS", 0.1)
    async with spawned(launcher, spec("", command=("sleep", "600"))) as process:
        with tracing(process.pid):
            end = await asyncio.wait_for(await zombie(process), 20)
        assert end == Exit(text="ended under a debugger, which keeps how")
        assert process.reaped


async def zombie(process: SpawnedProcess) -> asyncio.Future[Exit]:
    """Have a process ended by a stranger, and return its end, which is not there yet."""
    os.kill(process.pid, signal.SIGKILL)
    pidfd = os.pidfd_open(process.pid)
    try:
        await readable(pidfd)
    finally:
        os.close(pidfd)
    return asyncio.ensure_future(process.wait())
