"""An unknown account or channel in every verb of the real command line: one clear sentence."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import Result
from tests.support.daemon import TOKEN, Daemon

pytestmark = pytest.mark.e2e

# Each verb with a name that nothing has, and with the words that must be in the complaint.
COMPLAINTS = {
    "status local:nobody": "known: local:one, local:two",
    "watch nowhere:one": "known: local:one, local:two",
    "logs nowhere": "channels with accounts: local",
    "wait local:nobody": "known: local:one, local:two",
    "channels status nowhere": "known: local:one, local:two",
    "channels describe nowhere": "known: local:one, local:two",
    "channels start local:nobody": "known: local:one, local:two",
    "channels stop nowhere": "channels with accounts: local",
    "channels stop local:two nowhere:one": "known: local:one, local:two",
    "channels restart nowhere": "channels with accounts: local",
    "channels reset local:nobody": "known: local:one, local:two",
    "channels events nowhere:one": "known: local:one, local:two",
    "channels logs nowhere": "channels with accounts: local",
    "channels logs -f local:nobody": "known: local:one, local:two",
    "channels holds nowhere:one": "known: local:one, local:two",
    "channels remove local:nobody": "there are: one, two",
    "channels add nowhere:one": "allowed: ",
    "chat local:nobody": "known: local:one, local:two",
    "message send --account local:nobody -t x -m y": "known: local:one, local:two",
    "channels status local:nobody --url URL": "known: local:one, local:two",
    "channels start nowhere:one --url URL": "channel",
    "channels stop nowhere --url URL": "known: local:one, local:two",
    "channels restart local:nobody --url URL": "known: one, two",
}
IN_THE_FILE = ("channels add", "channels remove")  # those are mistakes of configuration


# The command line itself, but one program for all commands: to start each takes ten times longer.
ALL = """
import contextlib, io, json, sys
from ops.cli.main import run
results = []
for command in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = int(run(command.split()))
    results.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""


def all_of(daemon: Daemon, commands: Sequence[str]) -> list[Result]:
    """Run commands, one after the other."""
    program = [sys.executable, "-c", ALL, json.dumps(commands)]
    done = subprocess.run(program, env=daemon.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [Result(*result) for result in json.loads(done.stdout)]


async def test_an_unknown_account_or_channel_is_named_by_every_verb(tmp_path: Path) -> None:
    config: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}, "two": {}}}}}
    async with Daemon(tmp_path, config) as daemon:
        await daemon.wait_phase("local:one", "running")
        before = (await daemon.wait_phase("local:two", "running"))["pid"]
        url = f"ws://127.0.0.1:{daemon.port} --token {TOKEN}"
        text = daemon.config_path.read_text()
        results = await asyncio.to_thread(
            all_of, daemon, [each.replace("URL", url) for each in COMPLAINTS]
        )
        for (command, words), result in zip(COMPLAINTS.items(), results, strict=True):
            in_the_file = command.startswith(IN_THE_FILE)
            result.complains(ExitCode.CONFIGURATION if in_the_file else ExitCode.ERROR, words)
            assert any(name in result.err for name in ("nobody", "nowhere")) or "URL" in command
        assert daemon.config_path.read_text() == text
        rows = (await daemon.status())["accounts"]
        assert rows["local:two"]["pid"] == before
        assert all(row["phase"] == "running" for row in rows.values())
