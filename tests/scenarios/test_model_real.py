"""The model of ``test_model.py`` again with real processes: everything that may happen to the
daemon and its accounts, in random order, against the same invariants.

Fewer steps, because each takes real time. The seed is in the test's name; what was done is in
the message of a failure.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.daemon import Daemon

pytestmark = pytest.mark.e2e

NAMES = [f"a{number}" for number in range(4)]
KEYS = [f"local:{name}" for name in NAMES]
RESTART = {
    "initialSeconds": 0.02,
    "maximumSeconds": 0.1,
    "stopWithinSeconds": 1.0,
    "readyWithinSeconds": 5.0,  # for one that hangs while it starts
    "slowAfter": 6,
    "slowSeconds": 1.0,
}
BEAT = {"beatSeconds": 0.2, "suspectAfterSeconds": 2.0, "silentAfterSeconds": 4.0}


class World:
    """The daemon, the people and the faults. ``held`` is what people were promised."""

    def __init__(self, daemon: Daemon, chance: random.Random) -> None:
        self.daemon = daemon
        self.chance = chance
        self.accounts: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
        self.held: set[str] = set()
        self.newest: dict[str, int] = {}
        self.done: list[str] = []

    def config(self) -> dict[str, Any]:
        return {
            "channels": {"local": {"accounts": self.accounts}},
            "supervisor": {"restart": RESTART, **BEAT},
        }

    # What may happen

    async def start(self, key: str) -> None:
        if (await self.ask("start", key))["ok"]:
            self.held.discard(key)

    async def stop(self, key: str) -> None:
        row = await self.ask("stop", key)
        if row["ok"]:
            assert row["persisted"]
            self.held.add(key)

    async def drain(self, key: str) -> None:
        row = await self.ask("drain", key)
        if row["ok"]:
            self.held.add(key)

    async def restart(self, key: str) -> None:
        if (await self.ask("restart", key))["ok"]:
            self.held.discard(key)

    async def reset(self, key: str) -> None:
        await self.ask("reset", key)

    async def stop_and_start_at_once(self, key: str) -> None:
        stopped, started = await asyncio.gather(self.ask("stop", key), self.ask("start", key))
        if started["ok"]:
            await self.start(key)  # whichever of them came last: from here on it is wanted
        elif stopped["ok"]:
            self.held.add(key)

    async def crash(self, key: str) -> None:
        for process in self.alive(key):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    async def crash_all(self, key: str) -> None:
        for each in KEYS:
            await self.crash(each)

    async def hang(self, key: str) -> None:
        for process in self.alive(key):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGSTOP)

    async def change(self, key: str) -> None:
        greeting = f"hello {self.chance.randrange(3)}"
        await self.configure(key, {"greeting": greeting})

    async def disable(self, key: str) -> None:
        await self.configure(key, {"enabled": False})

    async def remove(self, key: str) -> None:
        if len(self.accounts) > 1:
            self.accounts.pop(key.partition(":")[2], None)
            self.held.discard(key)  # one that is added later is another account
            await self.reread()

    async def kill_the_gateway(self, key: str) -> None:
        pid = (await self.daemon.status())["gateway"]["pid"]
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def restart_the_supervisor(self, key: str) -> None:
        family = self.daemon.family()
        if self.chance.random() < 0.5:
            self.daemon.kill()
        else:
            assert await asyncio.to_thread(self.daemon.end) == 0
        await until(lambda: not any(map(runs, family)))
        await self.daemon.start()

    # How

    async def ask(self, verb: str, key: str) -> dict[str, Any]:
        if key.partition(":")[2] not in self.accounts:
            return {"ok": False}
        answer = await self.daemon.call(f"channels.{verb}", {"accounts": [key]})
        return dict(answer["results"][0])

    async def configure(self, key: str, account: dict[str, Any]) -> None:
        self.accounts[key.partition(":")[2]] = account
        await self.reread()

    async def reread(self) -> None:
        self.daemon.write(self.config())
        await self.daemon.call("config.reload")

    def alive(self, key: str) -> list[psutil.Process]:
        """Return the account's processes: they are named after their peer."""
        found = []
        for each in self.daemon.family():
            with suppress(psutil.Error):
                if each.name().startswith(f"{key}#") and runs(each):
                    found.append(each)
        return found

    # What must always hold

    async def check(self) -> None:
        for key in KEYS:
            assert len(self.alive(key)) <= 1, key
        status = await self.daemon.status()
        for key, row in status["accounts"].items():
            assert row["incarnation"] >= self.newest.get(key, 0), key
            self.newest[key] = row["incarnation"]
            assert (row["todo"] is not None) == (row["phase"] == "failed"), row
            if key in self.held:
                assert row["wanted"] is False, row
                assert row["hold"] is not None, row
                assert row["phase"] in ("stopped", "stopping"), row

    async def converge(self) -> None:
        """Once nothing happens any more, every account is what people want it to be."""
        status = await self.daemon.wait(self._as_wanted)
        assert set(status["accounts"]) == {f"local:{name}" for name in self.accounts}
        for key in KEYS:
            assert len(self.alive(key)) == (status["accounts"].get(key, {}).get("pid") is not None)
        workers = sum(row["pid"] is not None for row in status["accounts"].values())
        await until(lambda: len(self.daemon.family()) == workers + 3)  # with gateway and zygote

    def _as_wanted(self, status: dict[str, Any]) -> bool:
        rows = status["accounts"]
        down = {key for key in rows if not self.accounts[key[6:]].get("enabled", True)}
        down |= self.held & set(rows)
        return status["gateway"]["connected"] and all(
            row["phase"] == ("stopped" if key in down else "running")
            and (key in down or row["pid"] is not None)
            for key, row in rows.items()
        )


Fault = Callable[[World, str], Awaitable[None]]
# How often each, of a hundred or so.
FAULTS: dict[Fault, int] = {
    World.start: 16,
    World.stop: 10,
    World.drain: 3,
    World.restart: 8,
    World.reset: 4,
    World.stop_and_start_at_once: 6,
    World.crash: 20,
    World.crash_all: 2,
    World.hang: 3,
    World.change: 8,
    World.disable: 3,
    World.remove: 2,
    World.kill_the_gateway: 2,
    World.restart_the_supervisor: 1,
}


def runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - processes tell nobody when they are gone
            await asyncio.sleep(0.01)


async def play(directory: Path, steps: int, seed: int) -> None:
    """Let so many things happen, a few at a time, and look after each."""
    chance = random.Random(seed)
    daemon = Daemon(directory, {})
    world = World(daemon, chance)
    daemon.write(world.config())
    async with daemon:
        for step in range(1, steps + 1):
            fault = chance.choices(list(FAULTS), list(FAULTS.values()))[0]
            key = chance.choice(KEYS)
            world.done.append(f"{step} {fault.__name__} {key}")
            try:
                await fault(world, key)
                await world.check()
                if step % 25 == 0 or step == steps:
                    await world.converge()
            except BaseException as error:
                error.add_note(f"seed {seed}: " + "; ".join(world.done[-30:]))
                raise


@pytest.mark.parametrize("seed", [1])
async def test_whatever_happens_real_accounts_are_what_people_want(
    tmp_path: Path, seed: int
) -> None:
    await play(tmp_path, 40, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [11, 12, 13, 14, 15])
async def test_whatever_happens_for_long_real_accounts_are_what_people_want(
    tmp_path: Path, seed: int
) -> None:
    await play(tmp_path, 200, seed)
