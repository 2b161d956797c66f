"""What root has left in a user's state: each command names it, and the command that helps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import Result
from tests.support.daemon import Daemon
from tests.support.ordinary_user import UID

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves files of root"),
]
CONFIG: dict[str, Any] = {
    "agents": {"default": "echo"},
    "channels": {"local": {"accounts": {"one": {}, "two": {"journal": "off"}}}},
}
UP, DETACH, ADD = ["up"], ["up", "--detach"], ["channels", "add", "local:new"]
# What belongs to root, and the commands that cannot work then, with their exit code.
REFUSED = {
    "state/logs/": [(DETACH, 1)],
    "state/logs/up.log": [(DETACH, 1)],
    "state/supervisor.lock": [(UP, 1), (DETACH, 1)],
    "trunkline.json5": [(UP, 78), (DETACH, 78), (ADD, 78), (["config", "validate"], 78)],
}


@pytest.fixture
def daemon(short_path: Path) -> Daemon:
    short_path.chmod(0o755)
    found = Daemon(short_path, CONFIG)
    (short_path / "state" / "logs").mkdir(parents=True, mode=0o700)
    (short_path / "state").chmod(0o700)
    found.run_as_ordinary_user()
    return found


def leave(path: Path, *, folder: bool = False) -> str:
    """Leave a file or directory of root; return what is to be said of it."""
    if folder:
        path.mkdir(exist_ok=True)
    else:
        path.touch()
    path.chmod(0o700 if folder else 0o600)
    os.chown(path, 0, 0)
    return f"{path} belongs to root, not to you: `sudo chown -R --from=root {UID} {path}`"


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_start_names_the_file_and_the_cure(daemon: Daemon, name: str) -> None:
    said = leave(daemon.directory / name, folder=name.endswith("/"))
    for command, code in REFUSED[name]:
        Result(*await daemon.command(*command)).complains(code, said)
    await daemon.__aexit__()


async def test_what_starts_all_the_same_shows_each_file_and_its_cure(daemon: Daemon) -> None:
    state = daemon.directory / "state"
    said = [
        leave(state / "logs" / "supervisor.log"),
        leave(state / "journal.db"),
    ]
    leave(state / "history.jsonl")
    storage = leave(state / "accounts", folder=True)
    leave(state / "boot")  # it is replaced
    async with daemon:
        await daemon.wait(lambda status: all(each in warnings(status) for each in said))
        (kept,) = state.glob("history.jsonl.damaged-*")
        assert f"kept as {kept}; {kept} belongs to root" in warnings(await daemon.status())
        await daemon.wait(lambda status: storage in str(status["accounts"]["local:one"]))


def warnings(status: dict[str, Any]) -> str:
    return "\n".join(status["supervisor"]["warnings"])
