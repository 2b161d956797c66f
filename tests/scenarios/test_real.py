"""The scenarios marked ★ again, with real processes and the real daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipc.errors import IpcError
from tests.support import faulty
from tests.support.daemon import Daemon
from tests.support.until import PATIENCE

pytestmark = pytest.mark.e2e

ONE, TWO = "faulty:one", "faulty:two"


@pytest.fixture
def faulty_path(tmp_path: Path) -> str:
    """PYTHONPATH with the channel ``faulty`` installed."""
    directory = tmp_path / "site"
    directory.mkdir()
    return str(faulty.install(directory))


def config(**one: Any) -> dict[str, Any]:
    """Return two accounts of the faulty channel, the first one as described."""
    return {"channels": {"faulty": {"accounts": {"one": one, "two": {}}}}}


def running(*keys: str) -> Any:
    return lambda s: all(s["accounts"].get(k, {}).get("phase") == "running" for k in keys)


async def fault(daemon: Daemon, key: str, name: str) -> None:
    """Have an account go wrong now."""
    client = await daemon.client()
    channel, _, account = key.partition(":")
    params = {"channel": channel, "accountId": account, "to": "room", "message": name}
    await client.call("send", params | {"idempotencyKey": f"{name}-{time.monotonic()}"})
    await client.close()


async def vanished(pid: int) -> None:
    while psutil.pid_exists(pid):  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.005)


async def test_s001_s023_s031_s098_s102_one_account_through_its_life(
    tmp_path: Path, faulty_path: str
) -> None:
    async with Daemon(tmp_path, config(), PYTHONPATH=faulty_path) as daemon:
        before = (await daemon.wait(running(ONE, TWO)))["accounts"]
        pid = before[ONE]["pid"]
        assert psutil.Process(pid).is_running()
        assert before[ONE]["readyAt"] >= before[ONE]["startedAt"]
        # 98: a crash is told, and it comes back by itself
        os.kill(pid, signal.SIGKILL)
        crashed = await daemon.wait(lambda s: s["accounts"][ONE]["failures"] == 1)
        assert crashed["accounts"][ONE]["lastExit"] == "exited (signal 9)"
        again = await daemon.wait(running(ONE))
        assert again["accounts"][ONE]["pid"] != pid
        # 23: a stop is over when the process is gone
        pid = again["accounts"][ONE]["pid"]
        stopped = await daemon.call("channels.stop", {"accounts": [ONE], "reason": "lunch"})
        assert stopped["results"][0]["ok"]
        assert not psutil.pid_exists(pid)
        # 31: a stop of one that is dead already is at once
        began = time.monotonic()
        await daemon.call("channels.stop", {"accounts": [ONE]})
        assert time.monotonic() - began < 2.0
        # 102: it stays stopped over a restart of the supervisor, however that ended
        daemon.kill()
        await daemon.start()
        status = await daemon.wait(running(TWO))
        assert status["accounts"][ONE]["cause"] == "held"
        assert status["accounts"][ONE]["hold"]["reason"] == "lunch"
        events = (await daemon.call("channels.events", {"account": ONE}))["events"]
        assert [e["phase"] for e in events][:4] == ["starting", "running", "backoff", "starting"]
        assert any(e.get("exitCause") == "killed" for e in events)
        assert any(e["phase"] == "stopped" and e["text"] == "lunch" for e in events)


async def test_s018_one_that_exits_while_it_starts_is_seen_long_before_its_time_is_over(
    tmp_path: Path, faulty_path: str
) -> None:
    accounts: dict[str, Any] = {
        "faulty-exit": {"accounts": {"one": {}}},
        "faulty": {"accounts": {"two": {}}},
    }
    async with Daemon(tmp_path, {"channels": accounts}, PYTHONPATH=faulty_path) as daemon:
        status = await daemon.wait(lambda s: s["accounts"]["faulty-exit:one"]["failures"] >= 2)
        row = status["accounts"]["faulty-exit:one"]
        assert row["cause"] not in ("not_ready", None)
        await daemon.wait(running(TWO))


async def test_s024_s107_a_worker_that_ignores_the_stop_is_killed_after_its_grace(
    tmp_path: Path, faulty_path: str
) -> None:
    deaf = config(fault="ignore-term", after=0.0, restart={"stopWithinSeconds": 0.5})
    async with Daemon(tmp_path, deaf, PYTHONPATH=faulty_path) as daemon:
        pid = (await daemon.wait(running(ONE, TWO)))["accounts"][ONE]["pid"]
        while not _ignores_sigterm(pid):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        answer = await daemon.call("channels.stop", {"accounts": [ONE]})
        assert answer["results"][0]["stopped"]
        assert not psutil.pid_exists(pid)
        status = await daemon.status()
        assert status["accounts"][ONE]["phase"] == "stopped"
        assert status["accounts"][TWO]["restarts"] == 0


def _ignores_sigterm(pid: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


async def test_s025_what_a_worker_started_ends_with_it(tmp_path: Path, faulty_path: str) -> None:
    async with Daemon(tmp_path, config(seconds=3600), PYTHONPATH=faulty_path) as daemon:
        await daemon.wait(running(ONE, TWO))
        others = {one.pid for one in daemon.family()}
        await fault(daemon, ONE, "daemon")
        await daemon.wait(lambda s: s["accounts"][ONE]["failures"] == 1)
        await daemon.call("channels.stop", {"accounts": [ONE]})
        async with asyncio.timeout(PATIENCE):
            while {one.pid for one in daemon.family()} - others:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)


async def test_s027_a_stop_during_the_spawn_leaves_no_process(
    tmp_path: Path, faulty_path: str
) -> None:
    async with Daemon(tmp_path, config(), PYTHONPATH=faulty_path) as daemon:
        await daemon.wait(running(ONE, TWO))
        client = await daemon.local()
        for _ in range(10):
            await client.call("channels.stop", {"accounts": [ONE]})
            start = asyncio.create_task(client.call("channels.start", {"accounts": [ONE]}))
            stop = asyncio.create_task(client.call("channels.stop", {"accounts": [ONE]}))
            await asyncio.gather(start, stop)
        await client.close()
        row = (await daemon.status())["accounts"][ONE]
        assert (row["phase"], row["pid"]) == ("stopped", None)
        names = [one.name() for one in daemon.family()]
        assert not [name for name in names if name.startswith(ONE)]


async def test_s055_s056_the_gateway_is_restarted_in_place_or_replaced_and_no_worker_notices(
    tmp_path: Path, faulty_path: str
) -> None:
    """A reload touches only what changed; a gateway that dies of it counts as nobody's crash."""
    async with Daemon(tmp_path, config(), PYTHONPATH=faulty_path) as daemon:
        before = await daemon.wait(running(ONE, TWO))
        daemon.write(config() | {"logging": {"level": "debug"}})
        await daemon.call("config.reload")
        same = await daemon.status()
        assert same["gateway"]["pid"] == before["gateway"]["pid"]
        for key in (ONE, TWO):
            assert same["accounts"][key]["pid"] == before["accounts"][key]["pid"]
        os.kill(daemon.pid, signal.SIGUSR1)
        after = await daemon.wait(
            lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != before["gateway"]["pid"]
        )
        assert after["gateway"]["failures"] == 0
        assert after["accounts"][TWO]["pid"] == before["accounts"][TWO]["pid"]


async def test_s078_a_stopped_worker_is_spared_for_a_while_and_then_killed(
    tmp_path: Path, faulty_path: str
) -> None:
    quick = {"beatSeconds": 0.2, "suspectAfterSeconds": 1.0, "silentAfterSeconds": 2.5}
    async with Daemon(tmp_path, config() | {"supervisor": quick}, PYTHONPATH=faulty_path) as daemon:
        pid = (await daemon.wait(running(ONE, TWO)))["accounts"][ONE]["pid"]
        os.kill(pid, signal.SIGSTOP)
        await daemon.wait(lambda s: "silent" in (s["accounts"][ONE]["health"] or ""))
        os.kill(pid, signal.SIGCONT)
        spared = await daemon.wait(lambda s: s["accounts"][ONE]["health"] == "ok")
        assert spared["accounts"][ONE]["pid"] == pid
        os.kill(pid, signal.SIGSTOP)
        killed = await daemon.wait(lambda s: s["accounts"][ONE]["failures"] == 1)
        assert "SIGSTOP" in killed["accounts"][ONE]["lastError"]
        async with asyncio.timeout(PATIENCE):
            await vanished(pid)
        assert killed["accounts"][TWO]["restarts"] == 0


async def test_s123_two_dozen_killed_at_once_come_back_and_the_supervisor_answers_all_the_while(
    tmp_path: Path,
) -> None:
    accounts: dict[str, Any] = {f"a{number}": {} for number in range(24)}
    local = {"channels": {"local": {"accounts": accounts}}}
    async with Daemon(tmp_path, local) as daemon:
        keys = [f"local:{name}" for name in accounts]
        before = await daemon.wait(running(*keys))
        client = await daemon.local()
        for key in keys:
            os.kill(before["accounts"][key]["pid"], signal.SIGKILL)
        slowest = 0.0
        storm = False
        async with asyncio.timeout(90):
            while True:
                began = time.monotonic()
                status = await client.call("supervisor.status")
                slowest = max(slowest, time.monotonic() - began)
                rows = {row["account"]: row for row in status["accounts"]}
                storm |= any("crashed within 30 s" in w for w in status["supervisor"]["warnings"])
                back = [
                    key
                    for key in keys
                    if rows[key]["phase"] == "running" and rows[key]["restarts"] == 1
                ]
                if len(back) == len(keys):
                    break
                await asyncio.sleep(0.05)
        await client.close()
        assert storm
        assert slowest < 2.0  # on a machine that others use too


@pytest.mark.slow
async def test_s123_a_hundred_killed_at_once(tmp_path: Path) -> None:
    accounts: dict[str, Any] = {f"a{number}": {} for number in range(100)}
    async with Daemon(tmp_path, {"channels": {"local": {"accounts": accounts}}}) as daemon:
        keys = [f"local:{name}" for name in accounts]
        before = await daemon.wait(running(*keys))
        for key in keys:
            os.kill(before["accounts"][key]["pid"], signal.SIGKILL)
        async with asyncio.timeout(120):
            while True:
                rows = (await daemon.status())["accounts"]
                if all(r["phase"] == "running" and r["restarts"] for r in rows.values()):
                    return
                await asyncio.sleep(0.2)


async def test_s081_a_port_of_another_program_is_named_and_taken_only_by_force(
    tmp_path: Path,
) -> None:
    daemon = Daemon(tmp_path, {"channels": {"local": {"accounts": {"one": {}}}}})
    stranger = await asyncio.create_subprocess_exec(
        "python3",
        "-c",
        f"import socket,time; s=socket.create_server(('127.0.0.1',{daemon.port})); "
        "print(1, flush=True); time.sleep(3600)",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert stranger.stdout is not None
        await stranger.stdout.readline()
        code, _, error = await daemon.command("up")
        assert code == 1
        assert str(stranger.pid) in error
        assert "python3" in error
        assert stranger.returncode is None
        await daemon.start("--force")
        assert await asyncio.wait_for(stranger.wait(), 10) != 0
    finally:
        await asyncio.to_thread(daemon.end)
        daemon.sockets.cleanup()
        if stranger.returncode is None:
            stranger.kill()
            await stranger.wait()


async def test_s082_a_supervisor_that_was_killed_leaves_no_orphan_on_the_port(
    tmp_path: Path,
) -> None:
    async with Daemon(tmp_path, {"channels": {"local": {"accounts": {"one": {}}}}}) as daemon:
        gateway = (await daemon.wait(running("local:one")))["gateway"]["pid"]
        daemon.kill()
        async with asyncio.timeout(PATIENCE):
            await vanished(gateway)
        await daemon.start()
        assert (await daemon.status())["gateway"]["connected"]


async def test_s006_the_gateway_is_started_once_and_is_up_when_it_answers(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"channels": {"local": {"accounts": {"one": {}}}}}) as daemon:
        gateway = (await daemon.status())["gateway"]
        assert (gateway["phase"], gateway["failures"], gateway["outages"]) == ("running", 0, 0)
        client = await daemon.client()
        assert (await client.call("health"))["ok"] is True
        await client.close()
        daemon.kill()
        with pytest.raises((IpcError, OSError)):
            await daemon.client(timeout=2.0)
