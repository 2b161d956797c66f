"""Output that is shown anew in a real terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
from pathlib import Path

from tests.support.commandline import PROGRAM, environment
from tests.support.fakeserver import account, fake_supervisor, status


async def test_it_is_drawn_over_the_last_one_and_ctrl_c_ends_it(state: Path) -> None:
    rows = status(*(account(f"local:a{number}") for number in range(60)))
    async with fake_supervisor(state, supervisor__status=rows) as fake:
        master, slave = pty.openpty()
        os.set_blocking(master, False)
        shown: list[bytes] = []
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            "status",
            "--watch",
            "--all",
            stdout=slave,
            env=environment(state, TERM="xterm", COLUMNS="90", LINES="24"),
        )
        try:
            await fake.asked_for("supervisor.status", 3)
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(20):
                assert await process.wait() == 0
            shown.append(os.read(master, 1 << 20))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(master)
            os.close(slave)
    pages = b"".join(shown).decode().split("\x1b[H")[1:]
    assert len(pages) >= 2
    for page in pages[:2]:
        lines = page.replace("\x1b[K", "").replace("\r", "").splitlines()
        assert len(lines) <= 24
        assert any(line.startswith("… ") and line.endswith("more lines") for line in lines)


async def test_without_a_terminal_the_outputs_follow_one_another(state: Path) -> None:
    async with fake_supervisor(state, supervisor__status=status(account("local:demo"))) as fake:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *("channels", "status", "--watch"),
            stdout=asyncio.subprocess.PIPE,
            env=environment(state),
        )
        await fake.asked_for("supervisor.status", 3)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.decode().count("local:demo") >= 2
    assert b"\x1b" not in out
