"""Programs beside a plugin: what goes in and out, and that none outlives its account."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from runtime.zygote.prctl import set_subreaper
from tests.support.until import until
from tests.support.worker_rig import worker_rig
from workers.process.children import MAX_LINE, PluginChild

ECHO = [sys.executable, "-c", "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"]
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
LASTING = [sys.executable, "-c", DEAF + "; time.sleep(3600)"]
LOG = structlog.get_logger("test")

WORKER = """
import asyncio, sys
from workers.process.children import PluginChild

async def main():
    child = await PluginChild.start(sys.argv[1:], None)
    async for _ in child:
        break
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""


async def test_json_goes_in_and_out_line_by_line() -> None:
    child = await PluginChild.start(ECHO, LOG)
    values: list[object] = [{"text": "süß\n"}, [1, None], "x" * 300_000]
    heard = []
    writing = asyncio.create_task(_write(child, values))
    async for value in child:
        heard.append(value)
        if len(heard) == len(values):
            break
    await writing
    assert heard == values
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    assert child.finished
    with pytest.raises(ConnectionError):
        await child.write("late")


async def _write(child: PluginChild, values: list[object]) -> None:
    for value in values:
        await child.write(value)


async def test_its_end_is_the_end_of_its_output_and_its_code() -> None:
    child = await PluginChild.start(["sh", "-c", "echo 1; echo; echo 2; exit 3"], LOG)
    assert [value async for value in child] == [1, 2]
    assert (await child.wait(), await child.wait()) == (3, 3)
    child.kill()  # nothing is left


@pytest.mark.parametrize("line", ["'no json'", "'[' * 65 + ']' * 65", f"'1' * {MAX_LINE + 1}"])
async def test_a_line_that_is_none_is_an_error(line: str) -> None:
    child = await PluginChild.start([sys.executable, "-c", f"print({line})"], LOG)
    with pytest.raises((ValueError, UnicodeError)):
        async for _ in child:
            pass
    child.kill()
    await child.wait()


async def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        await PluginChild.start(["/no/such/program"], LOG)


async def test_its_stderr_is_in_the_account_s_log_without_secrets(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(config={"password": "hunter22"})
        plugin = await rig.up()
        command = ["sh", "-c", "echo token=hunter22 >&2"]
        child = await plugin.ctx.child(command, {"PATH": os.defpath})
        assert await child.wait() == 0
        lasting = await plugin.ctx.child(LASTING)
        assert [await anext(aiter(lasting))] == [1]
        assert await rig.stop() == 0
        assert await lasting.wait() == -signal.SIGKILL  # with its account
    assert "INFO token=*** child='sh'" in capsys.readouterr().err


async def test_what_it_says_on_stderr_without_end_is_counted() -> None:
    capture = LogCapture()
    log = structlog.wrap_logger(None, processors=[capture])
    child = await PluginChild.start(["sh", "-c", "yes | head -c 20000000 >&2"], log)
    assert await child.wait() == 0
    await until(lambda: sum(each.get("lines", 1) for each in capture.entries) == 10_000_000)
    assert len(capture.entries) < 10_000
    child.kill()


def test_it_ends_with_its_worker_however_that_dies() -> None:
    set_subreaper()
    command = [sys.executable, "-c", WORKER, *LASTING]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        worker.kill()
    ended = os.waitid(os.P_PID, child, os.WEXITED)  # ours now: it is an orphan
    assert ended is not None
    assert ended.si_status == signal.SIGKILL
