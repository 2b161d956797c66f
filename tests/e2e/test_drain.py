"""``channels drain``: what is in flight is finished, then the account stops and stays stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipc.errors import IpcError, RemoteError
from tests.support.commandline import Result
from tests.support.daemon import Daemon
from tests.support.watching import Watcher, watching

pytestmark = pytest.mark.e2e

ONE, TWO = "faulty:one", "local:two"
CONFIG: dict[str, Any] = {
    "channels": {
        "faulty": {"accounts": {"one": {}}},
        "local": {"accounts": {"two": {}, "loud": {"rate": 300}}},
    }
}


def send(watcher: Watcher, text: str, **more: Any) -> asyncio.Task[Any]:
    """Begin to send a message through ``faulty:one``."""
    params = {"channel": "faulty", "accountId": "one", "to": "room", "message": text}
    key = f"{text}-{len(asyncio.all_tasks())}-{asyncio.get_running_loop().time()}"
    call = watcher.client.call("send", params | {"idempotencyKey": key} | more)
    return asyncio.create_task(call)


async def held_up(daemon: Daemon, watcher: Watcher, gate: Path) -> asyncio.Task[Any]:
    """Return a message that is on its way, and stays so until ``gate`` is there."""
    message = send(watcher, f"hold {gate}")
    await daemon.wait(lambda s: s["accounts"][ONE]["plugin"].get("detail") == "holding")
    return message


async def refuses(watcher: Watcher) -> RemoteError:
    """Wait until the account takes no new message; return what it says.

    Its place is behind the message to the same chat that is on its way, so it would wait longer.
    """
    while True:
        try:
            await send(watcher, "one more", timeoutMs=500)
        except RemoteError as error:
            if "not sent in time" not in error.message:  # as before the drain has begun
                return error


async def test_messages_in_flight_are_finished_before_the_account_is_stopped_and_held(
    tmp_path: Path, faulty_path: str
) -> None:
    gate = tmp_path / "gate"
    async with Daemon(tmp_path, CONFIG, PYTHONPATH=faulty_path) as daemon:
        before = await daemon.wait_phase(ONE, "running")
        calm = await daemon.wait_phase(TWO, "running")
        async with watching(daemon) as watcher:
            message = await held_up(daemon, watcher, gate)
            drain = asyncio.create_task(
                daemon.command("channels", "drain", ONE, "--reason", "tidy")
            )
            error = await refuses(watcher)
            assert error.retryable
            assert "is being drained" in error.message
            assert (await daemon.status())["accounts"][ONE]["draining"]
            assert (await daemon.status())["accounts"][ONE]["pid"] == before["pid"]
            gate.touch()
            assert (await message)["messageId"].startswith("f-")  # done, and its answer came
            done = Result(*await drain)
            assert (done.code, "drained and stopped" in done.out) == (0, True), done
            assert f"hold {gate}" in watcher.texts(ONE, "out")
        assert not psutil.pid_exists(before["pid"])
        row = (await daemon.status())["accounts"][ONE]
        assert (row["phase"], row["cause"], row["hold"]["reason"]) == ("stopped", "held", "tidy")
        assert row["possiblyLost"] == 0
        assert daemon.end() == 0
        await daemon.start()
        await daemon.wait_phase(TWO, "running")
        rows = (await daemon.status())["accounts"]
        assert (rows[ONE]["phase"], rows[ONE]["hold"]["reason"]) == ("stopped", "tidy")
        assert rows[ONE]["incarnation"] < rows[TWO]["incarnation"]
        assert calm["restarts"] == 0
        assert (await daemon.command("channels", "start", ONE))[0] == 0
        await daemon.wait_phase(ONE, "running")


async def test_messages_that_take_too_long_are_given_up_and_reported(
    tmp_path: Path, faulty_path: str
) -> None:
    async with Daemon(tmp_path, CONFIG, PYTHONPATH=faulty_path) as daemon:
        await daemon.wait_phase(ONE, "running")
        async with watching(daemon) as watcher:
            message = await held_up(daemon, watcher, tmp_path / "never")
            done = Result(*await daemon.command("channels", "drain", ONE, "--timeout", "0.3"))
            assert "stopped before it was drained" in done.out, done
            with pytest.raises(IpcError):  # told, not lost in silence
                await message
        assert (await daemon.status())["accounts"][ONE]["hold"] is not None


async def test_every_message_from_before_the_end_arrives(tmp_path: Path, faulty_path: str) -> None:
    async with Daemon(tmp_path, CONFIG, PYTHONPATH=faulty_path) as daemon:
        await daemon.wait_phase("local:loud", "running")
        async with watching(daemon) as watcher:
            await watcher.heard("local:loud", 50)
            (row,) = (await daemon.call("channels.drain", {"accounts": ["local:loud"]}))["results"]
            assert (row["ok"], row["drained"]) == (True, True)
            status = (await daemon.status())["accounts"]["local:loud"]
            texts = await watcher.heard("local:loud", 50)
            numbers = [int(text.split()[0]) for text in texts]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert status["possiblyLost"] == 0
