"""Sends numbered messages through the real daemon while its processes are killed at random."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from ipc.errors import IpcError
from ipc.frames.websocket import Event
from ipc.websocket.reconnecting import GAP, ReconnectingClient, Subscription
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.outbox.dead_letters import MAX_LETTERS
from runtime.gateway.outbox.entries import DIED
from tests.support.daemon import Daemon
from tests.support.journals import journal_of
from tests.support.loss_platforms import CHATS, Platform
from tests.support.until import until

KINDS = ("worker", "gateway", "supervisor", "zygote", "server")
ZYGOTE = "tl zygote"  # the name of its process
DONE_SECONDS = 120.0  # without anything coming; a send that is tried again waits up to half of it
MOST_SECONDS = 1.5  # of messages between two kills
MOST_UNSEEN = 200  # of an account: what it catches up with must fit into the queue of one session
NEAR_MS = 10_000  # kills that are named beside what they do not explain
_LABEL = re.compile(r"\w+-\w+-c(\d+)-n\d+")


@dataclass(frozen=True)
class Kill:
    """One kill. ``what`` is the account of a worker, the channel of a server, else empty.

    ``incarnations`` are those of the workers that died by it, by account.
    """

    kind: str
    at: int  # epoch ms
    what: str = ""
    incarnations: dict[str, int] = field(default_factory=dict)


@dataclass
class Trial:
    """The messages sent, seen by clients and answered, and the kills in the meantime.

    Messages are known by their labels. ``old`` are those that a client saw as history, which are
    not answered. ``unknown`` are the labels of dead letters in that state, by id, ``letters`` all
    rows that were given up.
    """

    said: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seen: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    cursors: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    old: set[str] = field(default_factory=set)
    answered: dict[str, list[str]] = field(default_factory=dict)
    gaps: list[Any] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    rounds: int = 0  # kills of all channels together, counted once
    unknown: dict[str, str] = field(default_factory=dict)
    letters: list[tuple[str, OutgoingRow]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Record an event of the observing client."""
        if event.event in (GAP, "channel.gap"):
            self.gaps.append(event)
        elif event.event == "channel.message":
            assert isinstance(event.payload, msgspec.Raw)
            frame = msgspec.json.decode(event.payload)
            if frame["direction"] == "in":
                label = label_in(frame["message"]["text"])
                self.seen[frame["account"]].append(label)
                self.cursors[label].append(frame["cursor"])
                if frame["message"].get("meta", {}).get("history"):
                    self.old.add(label)

    def kills_of(self, channel: str) -> Counter[str]:
        """Return how many kills of each kind a channel has met."""
        met = [each for each in self.kills if each.what.partition(":")[0] in ("", channel)]
        return Counter(each.kind for each in met)

    def owed(self, platform: Platform) -> set[str]:
        """Return the messages on a platform that should be answered and are not."""
        said = {label for key in platform.keys for label in self.said[key]} - self.old
        return said - {label_in(text) for key in platform.keys for text in platform.answers(key)}

    def check(self, platform: Platform) -> Counter[str]:
        """Return how many sends on a platform are unknown after which kind of kill.

        Raises ``AssertionError`` where something was lost, came twice, or was not told truly.
        """
        assert not self.gaps, f"gaps were told: {self.gaps}"
        for key in platform.keys:
            said, seen = self.said[key], self.seen[key]
            again = {each: self.cursors[each] for each, n in Counter(seen).items() if n > 1}
            assert not again, f"{key}: seen twice, with these cursors: {again}"
            _same(said, seen, key, in_order=platform.in_order)
            counted = Counter(self.answered[key])
            twice = [label for label, count in counted.items() if count > 1]
            assert not twice, f"{key}: answered twice: {twice}"
            assert not set(counted) - set(said), f"{key}: answers to nothing"
            missing = set(said) - self.old - set(counted) - set(self.unknown.values())
            assert not missing, f"{key}: neither answered nor told as unknown: {sorted(missing)}"
        letters = [each for each in self.letters if each[0] in platform.keys]
        wrong = [each for each in letters if each[1].state != "unknown"]
        assert not wrong, f"given up, though surely not sent: {wrong}"
        return explained(letters, self.kills)


def label_in(text: str) -> str:
    """Return the label of a message in a text, or the text if there is none."""
    found = _LABEL.search(text)
    return found[0] if found else text


def explained(letters: Iterable[tuple[str, OutgoingRow]], kills: Sequence[Kill]) -> Counter[str]:
    """Return how many unknown sends each kind of kill explains.

    A kill of a worker or of its supervisor explains what that very worker had, one of the chat
    server what was begun before it, be it that its worker has ended by that: of each chat one
    message. Raises ``AssertionError`` where one is left, so also where only a kill of the gateway
    or the zygote could be the reason.
    """
    found: Counter[str] = Counter()
    killed = {each for kill in kills for each in kill.incarnations.items()}
    used: set[tuple[int, str, str]] = set()
    for key, row in sorted(letters, key=lambda each: each[1].first_attempt):
        ended = row.error == DIED and (key, row.incarnation) in killed
        for kill in kills:
            place = (id(kill), key, row.chat)
            if place not in used and _explains(kill, key, row, killed=ended):
                used.add(place)
                found[kill.kind] += 1
                break
        else:
            near = [kill for kill in kills if abs(kill.at - row.first_attempt) < NEAR_MS]
            raise AssertionError(f"{key}: no kill explains the unknown {row}, of {near}")
    return found


def _explains(kill: Kill, key: str, row: OutgoingRow, *, killed: bool) -> bool:
    """Return whether a kill explains an unknown send; ``killed``: a kill of its worker does."""
    if killed:
        return kill.incarnations.get(key) == row.incarnation
    cut = kill.kind == "server" and kill.what == key.partition(":")[0]
    return cut and kill.at >= row.first_attempt


def _same(said: list[str], seen: list[str], key: str, *, in_order: bool) -> None:
    """Raise unless each chat's messages were seen, and in order if the platform has one."""
    assert not set(said) - set(seen), f"{key}: lost {sorted(set(said) - set(seen))}"
    assert not set(seen) - set(said), f"{key}: seen, not said {sorted(set(seen) - set(said))}"
    for chat in range(CHATS if in_order else 0):
        mark = f"-c{chat}-"
        assert [t for t in seen if mark in t] == [t for t in said if mark in t], f"{key}: order"


async def run_trial(
    daemon: Daemon, platforms: Sequence[Platform], kills: int, chance: random.Random
) -> Trial:
    """Load the accounts of ``platforms``, kill at random, wait for the rest; return the counts.

    The daemon has ended then.
    """
    trial = Trial()
    keys = [key for platform in platforms for key in platform.keys]
    wanted = Subscription(accounts=keys, events=["channel.message"])
    for key in keys:
        await daemon.wait_phase(key, "running")
    for platform in platforms:
        await platform.meet(daemon)
    async with daemon.reconnecting(on_event=trial.take, subscribe=wanted) as client:
        async with _talking(platforms, trial, chance):
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 0.5))
                trial.kills += await _kill(daemon, platforms, chance)
                trial.rounds += 1
                await _forgive(daemon, keys)
        for key in keys:
            await daemon.wait_phase(key, "running")
        await _settled(client, platforms, trial)
    for platform in platforms:
        for key in platform.keys:
            trial.answered[key] = [label_in(text) for text in platform.answers(key)]
    await asyncio.to_thread(daemon.end)
    trial.letters = await _letters(daemon.directory / "state")
    return trial


async def _say(platform: Platform, trial: Trial, key: str, chat: int) -> None:
    label = f"{key.replace(':', '-')}-c{chat}-n{len(trial.said[key])}"
    trial.said[key].append(label)
    await platform.say(key, chat, label)


@contextlib.asynccontextmanager
async def _talking(
    platforms: Sequence[Platform], trial: Trial, chance: random.Random
) -> AsyncIterator[None]:
    """Write to all accounts as people while the block runs."""

    async def talk(platform: Platform, key: str) -> None:
        while True:
            # On a host that is slow people write less between two kills, not more than it takes,
            # and they wait for an account that the kills keep from reading.
            said, most = len(trial.said[key]), platform.per_second * MOST_SECONDS
            unseen = said - len(trial.seen[key])
            if said < most * (trial.rounds + 1) and unseen < MOST_UNSEEN:
                await _say(platform, trial, key, chance.randrange(CHATS))
            await asyncio.sleep(chance.uniform(0, 2 / platform.per_second))

    talks = [asyncio.create_task(talk(each, key)) for each in platforms for key in each.keys]
    try:
        yield
    finally:
        for task in talks:
            task.cancel()
        ends = await asyncio.gather(*talks, return_exceptions=True)
        assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []


async def _kill(daemon: Daemon, platforms: Sequence[Platform], chance: random.Random) -> list[Kill]:
    """Kill one kind of process once it runs, of every channel where each has one; return what."""
    kind = chance.choice(KINDS)
    if kind == "server":
        await asyncio.gather(*(platform.kill() for platform in platforms))
        return [Kill(kind, _now(), platform.channel) for platform in platforms]
    if kind == "worker":
        victims = [chance.choice(platform.keys) for platform in platforms]
        return [await _kill_worker(daemon, key) for key in victims]
    if kind == "supervisor":
        status = await daemon.wait(lambda status: True)
        await asyncio.to_thread(daemon.kill)
        kill = Kill(kind, _now(), "", _incarnations(status))
        await daemon.start()
        return [kill]
    if kind == "zygote":
        _kill_process((await until(lambda: _zygotes(daemon)))[0])
    else:
        status = await daemon.wait(lambda status: status["gateway"]["pid"])
        _kill_process(status["gateway"]["pid"])
    return [Kill(kind, _now())]


async def _kill_worker(daemon: Daemon, key: str) -> Kill:
    status = await daemon.wait(lambda status: status["accounts"].get(key, {}).get("pid"))
    _kill_process(status["accounts"][key]["pid"])
    return Kill("worker", _now(), key, {key: _incarnations(status)[key]})


def _kill_process(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _incarnations(status: dict[str, Any]) -> dict[str, int]:
    return {key: int(row["incarnation"]) for key, row in status["accounts"].items()}


def _zygotes(daemon: Daemon) -> list[int]:
    """Return the pids of the daemon's zygote, the oldest first: none while it is replaced.

    What it forks has its name for a moment.
    """
    found = []
    for child in psutil.Process(daemon.pid).children():
        with contextlib.suppress(psutil.Error):
            if child.name() == ZYGOTE:
                found.append((child.create_time(), child.pid))
    return [pid for _, pid in sorted(found)]


async def _forgive(daemon: Daemon, keys: list[str]) -> None:
    """Reset failures, so that each kill counts as the first one."""
    with contextlib.suppress(OSError):
        await daemon.call("gateway.start")
        await daemon.call("channels.reset", {"accounts": keys})


async def _settled(client: ReconnectingClient, platforms: Sequence[Platform], trial: Trial) -> None:
    """Wait until every message is seen, and answered or reported as unknown.

    As long as it gets less: a chat may have to wait for its pace.
    """

    async def left() -> int:
        unseen = sum(len(set(said) - set(trial.seen[key])) for key, said in trial.said.items())
        owed = set().union(*(trial.owed(platform) for platform in platforms))
        if owed - set(trial.unknown.values()):
            await _learn_unknown(client, trial)
        return unseen + len(owed - set(trial.unknown.values()))

    loop = asyncio.get_running_loop()
    least, deadline = sum(map(len, trial.said.values())) * 2, loop.time() + DONE_SECONDS
    while least and loop.time() < deadline:
        with contextlib.suppress(IpcError):
            now = await left()
            if now < least:
                least, deadline = now, loop.time() + DONE_SECONDS
        await asyncio.sleep(0.1)
    await _learn_unknown(client, trial)


async def _learn_unknown(client: ReconnectingClient, trial: Trial) -> None:
    """Find the messages that are dead letters in state ``unknown``."""
    found = await client.call("deadletters.list", {"limit": MAX_LETTERS})
    for row in found["letters"]:
        if row["state"] == "unknown" and row["id"] not in trial.unknown:
            shown = await client.call("deadletters.show", {"id": row["id"]})
            trial.unknown[row["id"]] = label_in(shown["message"]["text"])


async def _letters(state: Path) -> list[tuple[str, OutgoingRow]]:
    """Return the dead letters in the journal of a daemon that has ended."""
    async with journal_of("stored", state) as journal:
        return await journal.letters(MAX_LETTERS)


def _now() -> int:
    return int(time.time() * 1000)
