"""Numbered messages through the real daemon while every process of it is killed at random."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import psutil

from ipc.errors import IpcError
from ipc.frames.websocket import Event
from ipc.websocket.reconnecting import GAP, ReconnectingClient, Subscription
from tests.support.daemon import Daemon
from tests.support.until import until

CHATS = 12  # of each account
SAID_SECONDS = 0.05  # between two messages of all accounts together
KINDS = ("worker", "gateway", "supervisor", "zygote", "server")
ECHO = "echo: "
DONE_SECONDS = 90.0  # after the last kill; a send that is tried again waits up to half of it


class Platform(Protocol):
    """A chat server that counts, and goes on with all it knows when it is killed."""

    @property
    def keys(self) -> Sequence[str]:
        """The accounts on it."""

    async def say(self, key: str, chat: int, text: str) -> None:
        """Let a person write to an account."""

    def answers(self, key: str) -> list[str]:
        """Return what people have got from the account, in the order in which they got it."""

    async def kill(self) -> None:
        """Cut every connection, some after what came on it was carried out; be back at once."""


@dataclass
class Trial:
    """What was said, what clients saw of it, what was answered, and what was killed meanwhile."""

    said: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seen: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    answered: dict[str, list[str]] = field(default_factory=dict)
    gaps: list[Any] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    letters: Counter[Any] = field(default_factory=Counter)

    def take(self, event: Event) -> None:
        """Note an event of our own client."""
        if event.event in (GAP, "channel.gap"):
            self.gaps.append(event)
        elif event.event == "channel.message":
            assert isinstance(event.payload, msgspec.Raw)
            message = msgspec.json.decode(event.payload)
            if message["direction"] == "in":
                self.seen[message["account"]].append(message["message"]["text"])

    def check(self) -> None:
        """Raise ``AssertionError`` where something was lost, came twice, or was not told truly."""
        for key, said in self.said.items():
            _same(said, self.seen[key], f"{key}: seen by a client")
        assert self.gaps == []
        missing = 0
        for key, said in self.said.items():
            counted = Counter(text.removeprefix(ECHO) for text in self.answered[key])
            twice = [text for text, count in counted.items() if count > 1]
            assert not twice, f"{key}: answered twice: {twice}"
            assert not set(counted) - set(said), f"{key}: answers to nothing"
            missing += len(set(said) - set(counted))
        # A message in flight to a worker or a server that was killed may have been sent or not.
        harmful = self.kills["worker"] + self.kills["server"] + self.kills["supervisor"]
        assert missing <= self.unknown, f"{missing} answers missing, {self.unknown} told as unknown"
        assert self.unknown <= CHATS * harmful


def _same(said: list[str], seen: list[str], what: str) -> None:
    """Raise unless each chat's messages were seen once and in order."""
    counted = Counter(seen)
    assert not set(said) - set(seen), f"{what}: lost {sorted(set(said) - set(seen))}"
    assert not [text for text, count in counted.items() if count > 1], f"{what}: twice"
    for chat in range(CHATS):
        mark = f" c{chat}n"
        assert [t for t in seen if mark in t] == [t for t in said if mark in t], what


async def run_trial(daemon: Daemon, platform: Platform, kills: int, seed: int) -> Trial:
    """Load the accounts of ``platform``, kill at random, wait for the rest; return the counts."""
    chance, trial = random.Random(seed), Trial()
    wanted = Subscription(accounts=list(platform.keys), events=["channel.message"])
    for key in platform.keys:
        await daemon.wait_phase(key, "running")
    async with daemon.reconnecting(on_event=trial.take, subscribe=wanted) as client:
        async with _talking(platform, trial, chance):
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 0.6))
                kind = chance.choice(KINDS)
                await _kill(daemon, platform, kind, chance)
                trial.kills[kind] += 1
                await _forgive(daemon, platform)
        for key in platform.keys:
            await daemon.wait_phase(key, "running")
        await _settled(client, platform, trial)
    return trial


async def _say(platform: Platform, trial: Trial, chance: random.Random, turns: int) -> None:
    for _ in range(turns):
        key, chat = chance.choice(list(platform.keys)), chance.randrange(CHATS)
        text = f"{key} c{chat}n{len(trial.said[key])}"
        trial.said[key].append(text)
        await platform.say(key, chat, text)


@contextlib.asynccontextmanager
async def _talking(platform: Platform, trial: Trial, chance: random.Random) -> AsyncIterator[None]:
    """Let people write for the length of the block."""

    async def talk() -> None:
        while True:
            await _say(platform, trial, chance, 1)
            await asyncio.sleep(SAID_SECONDS)

    talking = asyncio.create_task(talk())
    try:
        yield
    finally:
        talking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await talking


async def _kill(daemon: Daemon, platform: Platform, kind: str, chance: random.Random) -> None:
    if kind == "server":
        await platform.kill()
    elif kind == "supervisor":
        await asyncio.to_thread(daemon.kill)
        await daemon.start()
    else:
        pid = await _pid(daemon, kind, chance.choice(list(platform.keys)))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def _pid(daemon: Daemon, kind: str, key: str) -> int:
    """Return the pid of what is to be killed, once it runs."""
    if kind == "zygote":
        await until(lambda: _zygotes(daemon))
        return _zygotes(daemon)[0]

    def pid(status: dict[str, Any]) -> int:
        row = status["gateway"] if kind == "gateway" else status["accounts"].get(key, {})
        return int(row.get("pid") or 0)

    return pid(await daemon.wait(pid))


def _zygotes(daemon: Daemon) -> list[int]:
    """Return the pids of the daemon's zygote: none while it is replaced."""
    found = []
    for child in psutil.Process(daemon.pid).children():
        with contextlib.suppress(psutil.Error):
            if "runtime.zygote" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


async def _forgive(daemon: Daemon, platform: Platform) -> None:
    """Make each kill the first one, as if a day lay between them."""
    with contextlib.suppress(IpcError, OSError):
        await daemon.call("gateway.start")
        for key in platform.keys:
            await daemon.call("channels.reset", {"account": key})


async def _settled(client: ReconnectingClient, platform: Platform, trial: Trial) -> None:
    """Wait until everything is seen, and answered but for what is told as unknown."""

    async def settled() -> bool:
        missing = sum(len(trial.said[key]) for key in trial.said)
        missing -= sum(len(set(platform.answers(key))) for key in trial.said)
        if any(set(trial.said[key]) - set(trial.seen[key]) for key in trial.said):
            return False
        if missing <= 0:
            return True
        found = await client.call("deadletters.list", {"limit": 1000})
        trial.letters = Counter(
            (row["state"], row["reason"], row["error"]) for row in found["letters"]
        )
        trial.unknown = sum(row["state"] == "unknown" for row in found["letters"])
        return missing <= trial.unknown

    deadline = asyncio.get_running_loop().time() + DONE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(IpcError):
            if await settled():
                break
        await asyncio.sleep(0.1)
    trial.answered = {key: platform.answers(key) for key in trial.said}
