"""Runs the daemon of the soak with its accounts, clients and chat server."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bench import source
from bench.faults.rig import GROUP, TARGET, FaultRig, all_run, config_of, target_account
from bench.faults.shared import still_runs
from bench.measuring.rows import Row, Rows, up
from bench.soak.chat import ROOM, Chat
from bench.soak.numbers import Ledger
from bench.soak.ports import quiet_port
from bench.soak.traffic import Onlooker, Person, Relay
from bench.tied import TiedDaemon
from runtime.supervisor.accounts.history import EVENTS, History, HistoryEntry
from tests.support import faulty
from tests.support.short_directory import ShortDirectory

RATE = 3.0  # messages a second of each account
SAY_SECONDS = 4.0  # between two messages to each account
IRC_SECONDS = 15.0  # the same for irc, whose server is one room for all
CALM = 1.0  # seconds
SETTLED_SECONDS = 20.0
RING = 200  # recent messages of an account: so that all rings are full in the warm-up
EXERCISES = 3
# glibc fills what it allocates (mallopt(3), M_PERTURB), so that it is resident at once. Without it
# ZeroMQ's queues become so page by page, over a quarter of an hour, and look like growth.
PERTURB = {"MALLOC_PERTURB_": "170"}


class WatchedRows(Rows):
    """The rows, and what they said of every incarnation that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.possibly_lost: dict[tuple[str, int], int | None] = {}

    def _take(self, row: Row, now: float) -> None:
        if row["phase"] in ("backoff", "failed", "stopped"):
            self.possibly_lost[row["account"], row["incarnation"]] = row["possiblyLost"]
        super()._take(row, now)


class SoakRig(FaultRig):
    """All that runs, and who is hit by the present fault.

    ``hit`` are the accounts that the present fault may end; ``everything``: all of them.
    ``killed`` are incarnations that were ended by force. ``zygotes_gone``: how often there was no
    zygote once all was well again.
    """

    def __init__(self, daemon: TiedDaemon, keys: list[str], seed: int, chat: Chat | None) -> None:
        self.keys = [key for key in keys if not key.startswith("faulty:")]
        super().__init__(daemon, self.keys, RATE)
        self.group = tuple(key for key in GROUP if key in keys)
        self.draw = random.Random(seed)
        self.chat = chat
        self.hit: set[str] = set()
        self.everything = False
        self.zygotes_gone = 0
        self.killed: set[tuple[str, int]] = set()
        self.relay = Relay(daemon)
        self.onlooker = Onlooker(daemon)
        self.rows: WatchedRows = WatchedRows()
        self.person: Person
        self._rows_stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._talking: list[asyncio.Task[None]] = []

    @property
    def missing(self) -> int:
        """Nothing: what is missing is counted at the end."""
        return 0

    async def heard(self) -> None:
        """Wait until the person gets a message."""
        await self.person.heard()

    @property
    def ledgers(self) -> dict[str, Path]:
        """The ledger file of every account that keeps one."""
        return {key: _ledger(self.daemon.directory, key) for key in self.keys if "source:" in key}

    def victim(self, *, channel: str = "") -> str:
        """Draw an account, of this channel, and note that it is hit."""
        key = self.draw.choice([each for each in self.keys if each.startswith(channel)])
        self.hit.add(key)
        return key

    def doom(self, *keys: str) -> None:
        """Note that the present incarnations of these accounts end by force."""
        self.killed |= {(key, self.incarnation(key)) for key in keys}

    async def follow(self) -> None:
        """Connect to ``cli.sock`` for the rows; anew, after a restart of the supervisor."""
        await self._rows_stack.aclose()
        client = await self.daemon.local(on_event=self.rows.take)
        self._rows_stack.push_async_callback(client.close)
        self.rows.newest.clear()
        self.rows.seed((await self.daemon.status())["accounts"])

    async def open(self) -> None:
        """Connect everything and begin to talk."""
        await self.follow()
        await self.relay.open()
        self.person = Person(self.relay.port, self.keys)
        await self.person.client.open()
        self._tasks.append(asyncio.create_task(self.onlooker.follow()))
        if self.chat is not None:
            self._tasks.append(asyncio.create_task(self.chat.visit()))
        for key in self.keys:
            seconds = IRC_SECONDS if key.startswith("irc:") else SAY_SECONDS
            talk = self.person.talk(key, seconds, random.Random(key))
            self._talking.append(asyncio.create_task(talk))
        await self.person.heard()

    async def hush(self) -> None:
        """Stop talking, stop every account in order, and wait until all they wrote has come."""
        await _end(self._talking)
        await self.call("stop", *self.keys)
        for key in self.keys:
            await self.rows.until(key, lambda row: row["phase"] == "stopped")
        await self.person.heard_all(self.written())

    def written(self) -> dict[tuple[str, str], list[int]]:
        """Return the numbers that must have come, by account and direction."""
        found: dict[tuple[str, str], list[int]] = {}
        for key, path in self.ledgers.items():
            lines = path.read_text().splitlines()
            found[key, "in"] = [int(line[2:]) for line in lines if line.startswith("d")]
        for key, confirmed in self.person.confirmed.items():
            found[key, "out"] = confirmed
        return found

    def check(self) -> Ledger:
        """Compare what was written with what came."""
        ledger = Ledger(self.rows.possibly_lost, self.killed)
        ledger.check(self.person.numbers, self.written())
        return ledger

    def log_tail(self) -> str:
        """Return the last lines of the supervisor's log, for what went wrong."""
        path = self.daemon.directory / "state" / "logs" / "supervisor.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(f"    {line[:400]}" for line in lines[-12:])

    async def close(self) -> None:
        """End all clients."""
        await _end([*self._talking, *self._tasks])
        if hasattr(self, "person"):
            await self.person.client.close()
        await self.relay.close()
        await self._rows_stack.aclose()
        if self.chat is not None:
            self.chat.kill()

    async def whole(self) -> None:
        """Wait until every account runs with its plugin connected, and all clients are there."""
        await self.restore()
        await self.onlooker.there.wait()
        for key in self.keys:
            await self.rows.until(key, up())
            await self.rows.until(key, _connected)
        if not self.has_zygote():  # it is replaced when it is needed next
            self.zygotes_gone += 1
            key = next(each for each in self.keys if each.startswith("local:"))  # a fork of it
            self.hit.add(key)
            before = self.incarnation(key)
            await self.call("restart", key)
            await self.rows.until(key, up(after=before))

    async def exercise(self) -> None:
        """Restart every account some times, so that what is kept of each reaches its bound."""
        for _ in range(EXERCISES):
            before = {key: self.incarnation(key) for key in self.keys}
            await self.call("restart", *self.keys)
            for key in self.keys:
                await self.rows.until(key, up(after=before[key]))
        await self.whole()

    def has_zygote(self) -> bool:
        """Return whether there is a zygote."""
        try:
            return bool(self.zygote())
        except LookupError:
            return False

    async def restart_supervisor(self, number: int) -> None:
        """End the supervisor by a signal, wait until all is gone, and start it again."""
        self.everything = True
        family = self.daemon.family()
        if number == signal.SIGKILL:
            self.doom(*self.keys)
            self.daemon.kill()
        else:
            os.kill(self.daemon.pid, number)
            await asyncio.to_thread(self.daemon.end)
        async with asyncio.timeout(SETTLED_SECONDS):
            while any(map(still_runs, family)):  # noqa: ASYNC110 - no process is left to ask
                await asyncio.sleep(0.01)
        await self.daemon.start()
        await self.follow()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def _connected(row: Row) -> bool:
    return bool(row["health"] == "ok")


def accounts(count: int, *, irc: bool) -> list[str]:
    """Return the keys of so many accounts; at least five."""
    group = GROUP if count >= 30 else ()
    keys = [TARGET, *group]
    keys += [f"irc:soak{number}" for number in range((4 if count >= 30 else 1) if irc else 0)]
    ledgers = (count - len(keys)) // 2
    keys += [f"source:w{number:02}" for number in range(ledgers)]
    return keys + [f"local:s{number:02}" for number in range(count - len(keys))]


def config(keys: list[str], directory: Path, irc_port: int) -> dict[str, Any]:
    """Return the configuration of these accounts."""
    channels: dict[str, dict[str, Any]] = {}
    for key in keys:
        channel, _, account = key.partition(":")
        whole = channels.setdefault(channel, {"accounts": {}})
        whole["accounts"][account] = _account(key, directory, irc_port)
    channels["faulty"]["accounts"]["bad"] = target_account()
    made = config_of(channels)
    made["gateway"]["limits"]["ringMessages"] = RING
    return made


def remember(keys: list[str], state: Path) -> None:
    """Write full histories of these accounts, as a daemon has them that has run for long."""
    state.mkdir(mode=0o700)
    history = History(state / "history.jsonl")
    now = int(time.time() * 1000)
    for key in keys:
        for number in range(EVENTS):
            entry = HistoryEntry(
                at=now - 1000 * (EVENTS - number),
                phase=("starting", "running", "backoff")[number % 3],
                incarnation=number // 3 + 1,
                text="ended by SIGKILL",
                exit="SIGKILL",
                exit_cause="crashed",
                proven=True,
            )
            history.add(key, entry)
    history.close()


def _account(key: str, directory: Path, irc_port: int) -> dict[str, Any]:
    channel, _, account = key.partition(":")
    if channel == "irc":
        return {
            "server": "127.0.0.1", "port": irc_port, "tls": False, "nick": account,
            "channels": [ROOM], "floodRate": 4,
            "restart": {"slowAfter": 1000},  # a server that is away is no crash loop here
        }  # fmt: skip
    if channel == "source":
        return {"rate": RATE, "ledger": str(_ledger(directory, key))}
    return {"rate": RATE} if channel == "local" else {}


def _ledger(directory: Path, key: str) -> Path:
    return directory / f"{key.replace(':', '-')}.ledger"


@asynccontextmanager
async def soak_rig(count: int, seed: int) -> AsyncIterator[SoakRig]:
    """Start everything, wait until all accounts run and talk; end it all afterwards."""
    chat = Chat() if Chat.available() else None
    keys = accounts(count, irc=chat is not None)
    with ShortDirectory() as place:
        site = place / "site"
        site.mkdir()
        faulty.install(site)
        source.install(site)
        made = config(keys, place, chat.port if chat else 0)
        daemon = TiedDaemon(place, made, site=str(site))
        daemon.port = quiet_port()
        daemon.env |= PERTURB
        daemon.write(made)
        remember(keys, place / "state")
        rig = SoakRig(daemon, keys, seed, chat)
        try:
            if chat is not None:
                await chat.start()
            await daemon.start()
            await daemon.wait(all_run)
            await rig.open()
            yield rig
        finally:
            await rig.close()
            await daemon.__aexit__()
