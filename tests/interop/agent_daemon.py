"""A daemon with an agent that is a program, for the commands that talk to one."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.daemon import Daemon

# It answers with what is said in the last line of the prompt, or does what that is the name of.
PROGRAM = """
import json, sys, time
said = sys.stdin.read().strip().splitlines()[-1]
tell = lambda **event: print(json.dumps(event), flush=True)
if said == "fail":
    sys.exit(65)
if said == "tool":
    tell(type="toolCall", id="call_1", name="clock", arguments={"zone": "Europe/Rome"})
    tell(type="toolResult", id="call_1", output="09:30")
if said == "slow":
    for number in range(2400):
        tell(type="delta", text=f"word{number} ")
        time.sleep(0.05)
tell(type="delta", text="said: ")
tell(type="delta", text=said)
tell(type="final", usage={"input": 20, "output": 6}, model="own-1")
"""
MAIN = {"kind": "command", "command": [sys.executable, "-c", PROGRAM], "output": "jsonl"}
CONFIG = {"agents": {"default": "main", "entries": {"main": MAIN}}, "channels": {}}


@contextlib.contextmanager
def talking_daemon(directory: Path) -> Iterator[Daemon]:
    """Run a daemon whose agent is the program above."""
    daemon = Daemon(directory, CONFIG)
    try:
        asyncio.run(daemon.start())
        yield daemon
    finally:
        asyncio.run(daemon.__aexit__())
