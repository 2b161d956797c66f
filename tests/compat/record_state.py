"""Records the state directory of a real daemon: ``python -m tests.compat.record_state DIRECTORY``.

The story is the same for every recording, so that one test reads them all: two boots, a message,
a crash, a hold with a reason and one without, and a paired device whose file lies in ``client``.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ipc.identity.device import Identity
from ipc.websocket.client import Client
from tests.support.short_directory import ShortDirectory

PORT = 28917  # as CONFIG has it; a reader replaces it by a free one
TOKEN = "compatibility-token"
REASON = "moving to another network"
CONFIG = """\
// What a person wrote: comments, an inherited field, a secret in the file.
{
  gateway: { port: 28917, auth: { token: "compatibility-token" } },
  supervisor: { restart: { initialSeconds: 0.2 } },
  agents: { default: "echo" },
  channels: {
    local: {
      accounts: {
        demo: { name: "Demonstration" },
        crashing: {},
        stopped: { agent: "none" },
      },
    },
    irc: {
      server: "irc.example.net",
      accounts: {
        libera: { nick: "trunkline", password: "not-a-secret", channels: ["#trunkline"] },
      },
    },
  },
}
"""


def cli(*words: str) -> str:
    """Run the command line and return what it prints."""
    program = Path(sys.executable).with_name("trunkline")
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"trunkline {' '.join(words)}: {done.stderr}")
    return done.stdout


def row(key: str) -> dict[str, Any]:
    """Return the status of one account."""
    rows: list[dict[str, Any]] = json.loads(cli("status", "--json"))["accounts"]
    return next(each for each in rows if each["account"] == key)


async def pair(path: Path) -> None:
    """Connect with a new device; the gateway pairs it, because it is on this host."""
    identity = Identity.load(path)
    url = f"ws://127.0.0.1:{PORT}"
    async with await Client.connect(url, token=TOKEN, identity=identity) as client:
        await client.call("health")


def live(state: Path) -> None:
    """Run the first boot, in which everything happens."""
    cli("channels", "stop", "irc:libera", "--reason", REASON)
    cli("channels", "stop", "local:stopped", "--wait")
    cli("chat", "local:demo", "-m", "hello")
    asyncio.run(pair(state / "client" / "identity.json"))
    crashing = row("local:crashing")
    os.kill(crashing["pid"], signal.SIGKILL)
    while row("local:crashing")["incarnation"] == crashing["incarnation"]:
        time.sleep(0.1)


def main(destination: Path) -> None:
    """Run two boots in a temporary place and copy their state directory to ``destination``."""
    with ShortDirectory() as place:
        state = place / "state"
        for directory in (state, state / "client"):
            directory.mkdir(mode=0o700)
        (state / "trunkline.json5").write_text(CONFIG)
        (state / "trunkline.json5").chmod(0o600)
        os.environ |= {
            "HOME": str(place),
            "TRUNKLINE_STATE_DIR": str(state),
            "TRUNKLINE_RUNTIME_DIR": f"{place}/sockets",
        }
        for boot in (1, 2):
            cli("up", "--detach")
            try:
                keys = ("local:demo", "local:crashing")
                cli("wait", *keys, "--for", "running", "--timeout", "40")
                if boot == 1:
                    live(state)
            finally:
                cli("down")
        # The link to the sockets leads nowhere else, and Git keeps no empty directories.
        shutil.copytree(state, destination, ignore=shutil.ignore_patterns("run", "accounts"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
