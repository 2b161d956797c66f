"""The real OpenClaw as our child, and as a gateway that is only attached to.

Runs where ``TRUNKLINE_OPENCLAW`` names a folder with it (``tests/install-openclaw``); it
starts in 10 to 40 s on a calm host, hence the patience. ``-s`` shows what happens when.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipc.errors import IpcError
from ipc.websocket.probe import challenges
from tests.support import daemon as support
from tests.support.daemon import TOKEN, Daemon
from workers.testing.ports import free_port

FOLDER = os.environ.get("TRUNKLINE_OPENCLAW", "")
PATIENCE = 600.0  # seconds; some twenty times what it takes on a calm host
SILENCE = 20.0
DOCTOR = ["openclaw", "doctor", "--fix", "--yes", "--non-interactive"]
COMMAND = ["openclaw", "gateway", "run", "--allow-unconfigured", "--bind", "loopback"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(4 * PATIENCE),
    pytest.mark.skipif(not FOLDER, reason="TRUNKLINE_OPENCLAW names no folder"),
]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "PATIENCE", PATIENCE)


def environment(home: Path) -> dict[str, str]:
    """Return what OpenClaw needs: its Node first, and a home of its own."""
    home.mkdir(exist_ok=True)
    path = f"{FOLDER}/node_modules/.bin{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "OPENCLAW_STATE_DIR": str(home / "openclaw")}


class Story:
    """Tells what happens when, for the transcript."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)

    async def gateway(
        self, daemon: Daemon, what: str, true: Callable[[dict[str, Any]], Any]
    ) -> dict[str, Any]:
        """Return the gateway's row once ``true`` holds for it."""
        began = time.monotonic()
        row: dict[str, Any] = (await daemon.wait(lambda s: true(s["gateway"])))["gateway"]
        shown = {name: row[name] for name in ("kind", "phase", "pid", "connected", "outages")}
        self.tell(f"{what} after {time.monotonic() - began:.1f} s: {shown}")
        return row


def working(row: dict[str, Any]) -> bool:
    return bool(row["phase"] == "running" and row["connected"])


async def test_openclaw_runs_as_a_child_and_recovers_from_each_fault(tmp_path: Path) -> None:
    story = Story()
    gateway = {"command": COMMAND, "silentAfterSeconds": SILENCE, "readyWithinSeconds": PATIENCE}
    env = environment(tmp_path / "home")
    async with Daemon(tmp_path, {"gateway": gateway, "channels": {}}, **env) as daemon:
        row = await story.gateway(daemon, "trunkline up: OpenClaw answers", working)
        assert row["kind"] == "command"
        first = row["pid"]
        assert TOKEN not in " ".join(psutil.Process(first).cmdline())
        client = await daemon.client(caps=())
        presence = await client.call("system-presence", {}, timeout=60)
        assert client.protocol == 4
        story.tell(f"a client of ours asks it: {presence[0]['mode']} {presence[0]['version']}")
        await client.close()

        story.tell(f"kill -9 {first}")
        os.kill(first, signal.SIGKILL)
        row = await story.gateway(
            daemon, "back", lambda r: working(r) and r["pid"] not in (None, first)
        )
        second, incarnation, outages = row["pid"], row["incarnation"], row["outages"]
        assert outages == 1

        story.tell(f"kill -USR2 {second}: it restarts itself in place")
        os.kill(second, signal.SIGUSR2)
        await story.gateway(daemon, "session closed", lambda r: not r["connected"])
        row = await story.gateway(daemon, "back", working)
        assert (row["pid"], row["incarnation"]) == (second, incarnation), "it was replaced"

        story.tell(f"kill -STOP {second}: silent for {SILENCE:g} s, then asked for 5 s")
        os.kill(second, signal.SIGSTOP)
        row = await story.gateway(
            daemon, "replaced", lambda r: working(r) and r["pid"] not in (None, second)
        )
        assert row["incarnation"] > incarnation
        assert not psutil.pid_exists(second)

        answer = await daemon.call("gateway.stop")
        story.tell(f"trunkline gateway stop: {answer['gateway']['phase']}")
        assert answer["ok"]
        assert not psutil.pid_exists(row["pid"])
        assert not await challenges(f"ws://127.0.0.1:{daemon.port}", 1.0)
        family = daemon.family()
        assert len(family) == 2, f"supervisor and zygote, and nothing else: {family}"
        assert TOKEN not in (tmp_path / "state" / "logs" / "gateway.log").read_text()
    assert TOKEN not in (tmp_path / "state" / "logs" / "supervisor.log").read_text()
    story.tell("trunkline down: nothing is left")


async def test_a_running_openclaw_is_attached_to_and_outlives_the_daemon(tmp_path: Path) -> None:
    story = Story()
    port = free_port()
    url = f"ws://127.0.0.1:{port}"
    env = environment(tmp_path / "home")
    with (tmp_path / "openclaw.txt").open("wb") as out:
        openclaw = await asyncio.to_thread(
            subprocess.Popen,
            [*COMMAND, "--port", str(port)],
            executable=f"{FOLDER}/node_modules/.bin/openclaw",
            env={**os.environ, **env, "OPENCLAW_GATEWAY_TOKEN": TOKEN},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        began = time.monotonic()
        while not await challenges(url, 5.0):
            assert openclaw.poll() is None, (tmp_path / "openclaw.txt").read_text()
            assert time.monotonic() - began < PATIENCE
            await asyncio.sleep(0.5)
        story.tell(f"OpenClaw runs by itself, pid {openclaw.pid}")

        async with Daemon(tmp_path, {"gateway": {"url": url}, "channels": {}}, **env) as daemon:
            row = await story.gateway(daemon, "trunkline up: attached", working)
            assert (row["kind"], row["pid"]) == ("attached", None)
            identity = tmp_path / "state" / "identity.json"
            assert identity.stat().st_mode & 0o777 == 0o600

            story.tell(f"kill -USR2 {openclaw.pid}: it restarts itself in place")
            os.kill(openclaw.pid, signal.SIGUSR2)
            await story.gateway(daemon, "session closed", lambda r: not r["connected"])
            row = await story.gateway(daemon, "connected again", working)
            assert row["outages"] == 1

            change = "{skills: {entries: {xurl: {enabled: false}}}}"
            began = time.monotonic()
            code, printed, said = await daemon.command(
                "config", "patch", change, "--gateway", "--timeout", f"{PATIENCE:g}"
            )
            story.tell(
                f"config patch --gateway: {printed.strip()} after {time.monotonic() - began:.1f} s"
            )
            assert code == 0, said
            file = tmp_path / "home" / "openclaw" / "openclaw.json"
            assert json.loads(file.read_text())["skills"]["entries"]["xurl"] == {"enabled": False}
            await story.gateway(daemon, "connected", working)

            answer = await daemon.call("gateway.stop", {"shutdown": True})
            story.tell(f"gateway stop --shutdown: {answer.get('shutdown')}")
            assert "unknown method" in answer["shutdown"]
            assert openclaw.poll() is None
            answer = await daemon.call("gateway.start")
            await story.gateway(daemon, "trunkline gateway start: attached", working)
        story.tell("trunkline down")
        assert openclaw.poll() is None, "we ended a gateway that is not ours"
        assert await challenges(url, 30.0)
        story.tell(f"OpenClaw runs on, pid {openclaw.pid}, and greets new clients")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(openclaw.pid, signal.SIGKILL)
        openclaw.wait()


def damage(home: Path, text: str = '{"gateway": {"nonsense": 1}}') -> Path:
    """Write a configuration that OpenClaw does not take; return its file."""
    (home / "openclaw").mkdir()
    file = home / "openclaw" / "openclaw.json"
    file.write_text(text)
    return file


async def test_openclaws_damaged_configuration_is_repaired_once_by_its_doctor(
    tmp_path: Path,
) -> None:
    story = Story()
    env = environment(tmp_path / "home")
    file = damage(tmp_path / "home")
    gateway = {"command": COMMAND, "repairCommand": DOCTOR, "readyWithinSeconds": PATIENCE}
    async with Daemon(tmp_path, {"gateway": gateway, "channels": {}}, **env) as daemon:
        row = await story.gateway(daemon, "repaired by openclaw doctor: it answers", working)
        assert "nonsense" not in file.read_text()
        events = log_of(tmp_path)
        assert events.count("repairing the gateway's configuration") == 1
        assert events.count("repair ended") == 1
        client = await daemon.client(caps=())
        await client.call("system-presence", {}, timeout=60)
        await client.close()
        assert row["outages"] == 0
    said = (tmp_path / "state" / "logs" / "gateway.log").read_text()
    assert "Doctor complete" in said, "what the repair printed is lost"
    assert TOKEN not in said


async def test_a_repair_that_fails_is_not_tried_again_and_the_damage_is_told(
    tmp_path: Path,
) -> None:
    story = Story()
    env = environment(tmp_path / "home")
    damage(tmp_path / "home")
    repair = ["openclaw", "doctor", "--no-such-option"]
    gateway = {"command": COMMAND, "repairCommand": repair, "readyWithinSeconds": PATIENCE}
    daemon = Daemon(tmp_path, {"gateway": gateway, "channels": {}}, **env)
    row = await until_failed(daemon, story)
    assert (row["phase"], row["cause"]) == ("failed", "misconfigured")
    assert "doctor --fix" in row["lastError"]
    assert log_of(tmp_path).count("repairing the gateway's configuration") == 1


def log_of(directory: Path) -> list[str]:
    """Return the events that the supervisor has logged."""
    lines = (directory / "state" / "logs" / "supervisor.log").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


async def test_openclaws_damaged_configuration_needs_a_person(tmp_path: Path) -> None:
    story = Story()
    env = environment(tmp_path / "home")
    damage(tmp_path / "home")
    gateway = {"command": COMMAND, "readyWithinSeconds": PATIENCE}
    daemon = Daemon(tmp_path, {"gateway": gateway, "channels": {}}, **env)
    assert (await until_failed(daemon, story))["phase"] == "failed"


async def until_failed(daemon: Daemon, story: Story) -> dict[str, Any]:
    """Start a daemon whose gateway does not come up; return its row once it has failed."""
    try:
        starting = asyncio.create_task(daemon.start())
        began = time.monotonic()
        row: dict[str, Any] = {}
        while row.get("phase") != "failed" and time.monotonic() - began < PATIENCE:
            await asyncio.sleep(0.5)
            try:
                row = (await daemon.status())["gateway"]
            except (IpcError, OSError):
                continue
        story.tell(f"gateway {row.get('phase')}, {row.get('cause')}: {row.get('lastError')}")
        starting.cancel()
        await asyncio.wait({starting})
        return row
    finally:
        await daemon.__aexit__()
