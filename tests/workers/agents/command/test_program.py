from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

from tests.support.context import RecordingContext
from tests.support.until import until
from workers.agents.command.program import TurnProgram


async def started(tmp_path: Path, script: str, prompt: bytes = b"") -> TurnProgram:
    log: Any = RecordingContext(None, tmp_path).log
    return await TurnProgram.start(["sh", "-c", script], prompt, log, os.environ, str(tmp_path))


async def printed(program: TurnProgram) -> bytes:
    async with aclosing(program.pieces()) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_all_of_the_output_is_read_however_late(tmp_path: Path) -> None:
    program = await started(tmp_path, "head -c 50000 /dev/zero; echo end")
    assert await program.wait(10) == 0
    assert len(await printed(program)) == 50_004
    await program.end(0)


async def test_a_long_prompt_is_read_while_output_is_written(tmp_path: Path) -> None:
    prompt = bytes(1 << 20)
    program = await started(tmp_path, "cat", prompt)
    assert await printed(program) == prompt
    assert await program.wait() == 0
    await program.end(0)


async def test_the_wait_for_the_end_of_a_program_is_limited(tmp_path: Path) -> None:
    program = await started(tmp_path, "sleep 3600")
    assert await program.wait(0.01) is None
    await program.end(5)
    assert await program.wait() == -15


async def test_an_end_that_is_cancelled_kills_at_once(tmp_path: Path) -> None:
    program = await started(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    async with aclosing(program.pieces()) as pieces:
        assert await anext(pieces) == b"ready\n"
    ending = asyncio.create_task(program.end(3600))
    await asyncio.sleep(0)
    begun = time.monotonic()
    ending.cancel()
    await asyncio.wait([ending])
    assert await program.wait() == -9
    assert time.monotonic() - begun < 60


async def test_a_program_ends_with_the_process_that_has_started_it(tmp_path: Path) -> None:
    starter = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, os, sys\n"
        "from workers.agents.command.program import TurnProgram\n"
        "async def main():\n"
        "    argv = ['sh', '-c', 'echo $$ >pid; echo up; exec sleep 3600']\n"
        "    program = await TurnProgram.start(argv, b'', None, os.environ, sys.argv[1])\n"
        "    await anext(program.pieces())\n"
        "    os._exit(1)\n"
        "asyncio.run(main())\n",
        str(tmp_path),
        cwd=Path(__file__).parents[4],
    )
    await starter.wait()
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: state(pid) == "Z")


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
