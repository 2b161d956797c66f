"""kill -9 of each process in turn: what must survive does, and nothing is left over."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipc.errors import IpcError, PeerGone
from tests.support.channel_packages import install
from tests.support.daemon import Daemon
from tests.support.irc_server import IrcServer, RawClient
from tests.support.until import PATIENCE, until
from tests.support.watching import watching

pytestmark = pytest.mark.e2e

LOCAL: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}, "two": {}, "three": {}}}}}
ROOM = "#trunkline"


async def all_running(daemon: Daemon) -> dict[str, Any]:
    status = await daemon.wait(
        lambda s: s["accounts"] and all(r["phase"] == "running" for r in s["accounts"].values())
    )
    return dict(status["accounts"])


async def gone(processes: list[psutil.Process], within: float) -> float:
    """Return the seconds until all are gone; fail when they are not."""
    began = time.monotonic()
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes):
        assert time.monotonic() - began < within, f"left: {processes}"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        before = await all_running(daemon)
        family = daemon.family()
        assert len(family) >= 6  # supervisor, zygote, gateway, three workers
        daemon.kill()
        await gone(family, within=2.5)
        await daemon.start()
        after = await all_running(daemon)
        for key, row in after.items():
            assert row["incarnation"] > before[key]["incarnation"]


# A plugin that starts a program with an environment of its own choice. That program and what it
# starts, twice forked and in a session of its own, are deaf to SIGTERM, and write down their pids.
STARTER = """
import sys
from workers.channels.local.plugin import Local
PROGRAM = '''
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
def live():
    with open(sys.argv[1], "a") as file:
        print(os.getpid(), file=file)
    time.sleep(600)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        live()
    os._exit(0)
live()
'''
class Plugin(Local):
    async def run(self):
        argv = [sys.executable, "-c", PROGRAM, str(self.ctx.storage / "pids")]
        await self.ctx.child(argv, env={"PATH": "/usr/bin:/bin"})
        await super().run()
"""


async def written(path: Path, count: int) -> list[psutil.Process]:
    """Return the processes whose pids stand in a file, once so many do."""
    lines: list[str] = []

    def are_there() -> bool:
        lines[:] = path.read_text().split() if path.exists() else []
        return len(lines) == count

    await until(are_there)
    return [psutil.Process(int(pid)) for pid in lines]


@pytest.mark.parametrize("ordinary", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_nothing_that_a_plugin_s_program_has_started_outlives_the_supervisor(
    short_path: Path, ordinary: bool
) -> None:
    site = short_path / "site"
    (install(site, "starter") / "plugin.py").write_text(STARTER)
    config = {"channels": {"starter": {"accounts": {"one": {}, "two": {"launcher": "exec"}}}}}
    daemon = Daemon(short_path, config, PYTHONPATH=str(site))
    if ordinary:
        daemon.run_as_ordinary_user()
    async with daemon:
        await all_running(daemon)
        left = []
        for key in ("starter:one", "starter:two"):
            left += await written(short_path / "state" / "accounts" / key / "pids", 2)
        daemon.kill()
        await gone(left, within=2.5)


async def test_a_killed_gateway_loses_no_message_and_refuses_nobody(
    tmp_path: Path, irc_server: IrcServer
) -> None:
    irc = {
        "server": "127.0.0.1",
        "port": irc_server.port,
        "tls": False,
        "channels": [ROOM],
        "accounts": {"anna": {"nick": "anna"}, "bert": {"nick": "bert"}},
    }
    async with Daemon(tmp_path, {"channels": {"irc": irc}}) as daemon:
        before = await all_running(daemon)
        person = await RawClient.connect(irc_server, "person", ROOM)
        async with watching(daemon) as watcher:
            person.say(ROOM, "said before")
            for key in before:
                await watcher.heard(key)
            cursors = {
                message["account"]: message["cursor"]
                for message in watcher.messages
                if message["direction"] == "in"
            }
            pid = (await daemon.status())["gateway"]["pid"]
            os.kill(pid, signal.SIGKILL)
            for number in range(3):
                person.say(ROOM, f"said meanwhile {number}")
            await asyncio.wait_for(watcher.client.closed, PATIENCE)
        async with watching(daemon) as watcher:  # waits in the backlog: no retry here
            await watcher.client.call("events.subscribe", {"cursors": cursors})
            wanted = [f"said meanwhile {number}" for number in range(3)]
            for key in before:
                await watcher.until(partial(has_all, watcher, key, len(wanted)))
                assert once(watcher, key) == wanted
        status = await daemon.status()
        assert status["gateway"]["outages"] == 1
        assert status["gateway"]["pid"] != pid
        for key, row in status["accounts"].items():
            assert row["incarnation"] == before[key]["incarnation"]
            assert row["pid"] == before[key]["pid"]
        await person.close()


def has_all(watcher: Any, key: str, count: int) -> bool:
    return len(once(watcher, key)) >= count


def once(watcher: Any, key: str) -> list[str]:
    """Return an account's texts in order; what came twice must be marked, and counts once."""
    seen: dict[str, str] = {}
    for message in watcher.messages:
        if message["account"] != key or message["direction"] != "in":
            continue
        if message["cursor"] in seen:
            assert message.get("redelivered") is True
        seen[message["cursor"]] = message["message"]["text"]
    return list(seen.values())


async def test_clients_that_come_during_an_outage_wait(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        await all_running(daemon)
        for _ in range(5):
            pid = (await daemon.wait(lambda s: s["gateway"]["connected"]))["gateway"]["pid"]
            os.kill(pid, signal.SIGKILL)
            clients = await asyncio.gather(*(daemon.client(timeout=PATIENCE) for _ in range(5)))
            for client in clients:
                assert (await client.call("health"))["ok"] is True
                await client.close()


async def test_a_killed_zygote_affects_no_account(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        before = await all_running(daemon)
        known = {row["pid"] for row in before.values()}
        known |= {(await daemon.status())["gateway"]["pid"], daemon.pid}
        zygote = [one for one in daemon.family() if one.pid not in known]
        assert len(zygote) == 1
        zygote[0].kill()
        await gone(zygote, within=PATIENCE)
        os.kill(before["local:one"]["pid"], signal.SIGKILL)
        again = await daemon.wait(
            lambda s: (
                s["accounts"]["local:one"]["phase"] == "running"
                and s["accounts"]["local:one"]["pid"] != before["local:one"]["pid"]
            )
        )
        for key in ("local:two", "local:three"):
            assert again["accounts"][key]["pid"] == before[key]["pid"]
            assert again["accounts"][key]["restarts"] == 0


async def test_the_phases_of_a_killed_worker_are_seen_as_they_happen(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        before = await all_running(daemon)
        async with watching(daemon) as watcher:
            os.kill(before["local:one"]["pid"], signal.SIGKILL)
            await watcher.until(lambda: watcher.phases("local:one")[-1:] == ["running"])
            assert watcher.phases("local:one") == ["backoff", "starting", "running"]
            backoff = next(row for row in watcher.statuses if row["phase"] == "backoff")
            assert "signal 9" in backoff["lastExit"]
            assert not watcher.phases("local:two")


async def test_a_gateway_stopped_on_purpose_refuses_at_once(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        await all_running(daemon)
        await daemon.call("gateway.stop")
        with pytest.raises(IpcError):
            await daemon.client(timeout=5.0)
        assert (await daemon.status())["accounts"]["local:one"]["phase"] == "running"
        await daemon.call("gateway.start")
        client = await daemon.client()
        await client.close()


async def test_a_graceful_restart_of_the_gateway_fails_no_call(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        await all_running(daemon)
        done = asyncio.Event()
        calls = 0

        async def caller() -> None:
            nonlocal calls
            while not done.is_set():
                client = await daemon.client(timeout=PATIENCE, retry=(0.15, 0.35, 0.75, 1.5))
                try:
                    await client.call("health")
                    calls += 1
                except PeerGone as error:
                    # The session ended between hello and call: nothing was sent, so try again.
                    if error.maybe_executed:
                        raise
                finally:
                    await client.close()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(caller())
            for _ in range(3):
                await daemon.call("gateway.restart")
            done.set()
        assert calls > 5
        assert (await daemon.status())["gateway"]["outages"] == 0
