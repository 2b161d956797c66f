"""A signal at any moment of the start: a clean end, no traceback, and nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import CLI, TOKEN
from tests.support.until import PATIENCE, until
from workers.testing.ports import free_port

pytestmark = pytest.mark.e2e

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
# Milliseconds after the first line of ours: imports, the zygote, the locks, the loop, the gateway.
SOME = (0, 40, 100, 200, 400)
EVERY = range(0, 1200, 10)
# Before that the interpreter itself starts, and says with a traceback that SIGINT has ended it.
BEGIN = """
import signal
from ops.cli.entry import main
real = signal.signal
def first(*args):
    signal.signal = real
    before = real(*args)
    print("begun", flush=True)
    return before
signal.signal = first
main()
"""


class Start:
    """One ``up`` with a terminal as its standard input, to which a signal is sent."""

    def __init__(self, directory: Path, run_dir: Path) -> None:
        self.directory, self.run_dir = directory, run_dir
        self.port = free_port()
        self.mark = f"start-{os.getpid()}-{directory.name}"
        config = directory / "trunkline.json5"
        config.write_text(
            json.dumps(
                {
                    "gateway": {"port": self.port, "auth": {"token": TOKEN}},
                    "channels": {"local": {"accounts": {"one": {}}}},
                }
            )
        )
        config.chmod(0o600)
        self.env = os.environ | {
            "TRUNKLINE_STATE_DIR": str(directory / "state"),
            "TRUNKLINE_CONFIG_PATH": str(config),
            "TRUNKLINE_RUNTIME_DIR": str(run_dir),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "STARTED_BY": self.mark,
        }

    def end(self, number: int, seconds: float, *options: str) -> tuple[int, str]:
        """Send a signal so long after the first line; return exit code and output."""
        terminal, stdin = pty.openpty()
        try:
            process = subprocess.Popen(
                [*CLI[:-1], BEGIN, "up", *options],
                env=self.env,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            with process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                try:
                    process.wait(seconds)
                except subprocess.TimeoutExpired:
                    process.send_signal(number)
                output, _ = process.communicate(timeout=PATIENCE)
                return process.returncode, output
        finally:
            os.close(terminal)
            os.close(stdin)

    def left(self) -> list[str]:
        """Return what it has left: processes and sockets."""
        found = [str(path) for path in self.run_dir.glob("*") if path.is_socket()]
        found += [
            str(process.info["cmdline"])
            for process in psutil.process_iter(["environ", "cmdline"])
            if (process.info["environ"] or {}).get("STARTED_BY") == self.mark
        ]
        return found

    async def nothing_left(self, moment: int) -> None:
        """Wait until nothing is left of a start that was ended at a moment."""
        try:
            await until(lambda: not self.left())
        except TimeoutError:
            raise AssertionError(f"ended at {moment} ms: left is {self.left()}") from None


@pytest.fixture
def start(tmp_path: Path, short_path: Path) -> Start:
    return Start(tmp_path, short_path / "run")


async def check(start: Start, number: int, moment: int) -> bool:
    """Let one start be ended; return whether it was up by then."""
    code, output = await asyncio.to_thread(start.end, number, moment / 1000)
    up = "is up" in output
    # During the imports a signal ends it as it ends any program; a command that is being
    # understood exits as for Ctrl-C, and from then on the end is in order.
    expected = {0} if up else {0, -number, 130}
    assert code in expected, (moment, code, output)
    assert up or not output, (moment, code, output)
    await start.nothing_left(moment)  # the zygote reads that its supervisor is gone
    return up


@pytest.mark.parametrize("moment", SOME)
@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_ends_the_start(start: Start, number: int, moment: int) -> None:
    await check(start, number, moment)


async def check_detached(start: Start, moment: int) -> bool:
    """Let Ctrl-C end one start in the background; return whether it was up by then."""
    code, output = await asyncio.to_thread(start.end, signal.SIGINT, moment / 1000, "--detach")
    if code == 0:
        assert "is up" in output
        down = [*CLI, "down"]
        ended = await asyncio.to_thread(subprocess.run, down, env=start.env, capture_output=True)
        assert ended.returncode == 0, ended
    else:
        assert (code in {-signal.SIGINT, 130}, output) == (True, ""), (moment, code, output)
    await start.nothing_left(moment)
    return code == 0


@pytest.mark.parametrize("moment", SOME)
async def test_a_cancelled_detached_start_leaves_no_daemon(start: Start, moment: int) -> None:
    await check_detached(start, moment)


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_a_detached_start_cancelled_at_any_moment_leaves_no_daemon(start: Start) -> None:
    assert not all([await check_detached(start, moment) for moment in EVERY])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_at_any_moment_ends_the_start(start: Start, number: int) -> None:
    """Each on the files that those before have left."""
    ups = [await check(start, number, moment) for moment in EVERY]
    assert not all(ups), "the first were sent before it was up"
