"""Runs the daemon for fault injection: sibling accounts that talk, and a target account."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.faults.witness import Witness
from bench.measuring.rows import Row, Rows, rows_of, up
from bench.tied import TiedDaemon
from ipc.errors import IpcError
from tests.support import faulty
from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE

TARGET = "faulty:bad"  # the account that goes wrong
GROUP = tuple(f"faulty:m{number}" for number in range(8))  # those that are killed together
MIB = 2**20
ZYGOTE = "tl zygote"  # what that process is called
JOURNAL = re.compile(r"/journal\.db(-wal|-shm)?$")
JOURNAL_CONNECTIONS = 4
CHECK_SECONDS = 0.02  # seconds between two checks of what no event says
# A fifth of the default, so that a hang is not waited for half a minute each time.
BEAT = {"beatSeconds": 1.0, "suspectAfterSeconds": 3.0, "silentAfterSeconds": 6.0}
# Long enough that no try of a crash loop falls into a measurement; a quarter of an hour by default.
SLOW_SECONDS = 3600
RESTART = {"initialSeconds": 0.2, "maximumSeconds": 0.2, "jitter": 0, "stopWithinSeconds": 1.0}


@dataclass(frozen=True, slots=True)
class Resources:
    """Processes and open files of the daemon.

    ``strays`` are processes of ours that are not supervised; ``files`` those of supervisor and
    gateway.
    """

    strays: frozenset[int]
    files: Counter[str]


class FaultRig:
    """A running daemon with the tools to inject faults and observe their effects."""

    def __init__(self, daemon: TiedDaemon, siblings: list[str], rate: float) -> None:
        self.daemon = daemon
        self.siblings = siblings
        self.group = GROUP
        self.rate = rate
        self.rows: Rows
        self.witness = Witness(daemon, siblings)
        self._numbers = itertools.count(1)

    def pid(self, key: str = TARGET) -> int:
        """Return the pid of a running account."""
        return int(self.rows.newest[key]["pid"])

    def incarnation(self, key: str = TARGET) -> int:
        """Return an account's incarnation."""
        return int(self.rows.newest[key]["incarnation"])

    def incarnations(self) -> dict[str, tuple[int, int]]:
        """Return incarnation and restarts of each sibling."""
        rows = self.rows.newest
        return {key: (rows[key]["incarnation"], rows[key]["restarts"]) for key in self.siblings}

    def kill(self, key: str = TARGET, number: int = signal.SIGKILL) -> None:
        """Send a signal to an account's process."""
        os.kill(self.pid(key), number)

    @property
    def missing(self) -> int:
        """The number of the siblings' messages that have not arrived so far."""
        return self.witness.missing

    async def heard(self) -> None:
        """Wait until a message comes."""
        await self.witness.heard()

    async def order(self, text: str) -> None:
        """Tell the target to perform a fault; it may be unable to answer."""
        params = {"channel": "faulty", "accountId": "bad", "to": "x", "message": text}
        key = {"idempotencyKey": f"order-{next(self._numbers)}"}
        async with await self.daemon.client(caps=()) as client:
            with suppress(IpcError, TimeoutError):
                await client.call("send", params | key, timeout=0.5)

    async def call(self, verb: str, *keys: str) -> Any:
        """Call a method of operators on accounts: ``start``, ``stop``, ``restart``, ``reset``."""
        return await self.daemon.call(f"channels.{verb}", {"accounts": list(keys or (TARGET,))})

    async def until(self, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Poll the status until ``true`` holds for it, and return it."""
        async with asyncio.timeout(PATIENCE):
            while not true(status := await self.daemon.status()):  # noqa: ASYNC110 - see above
                await asyncio.sleep(CHECK_SECONDS)
        return status

    async def restore(self) -> None:
        """Start the target and the group again, and forget their failures."""
        for key in (TARGET, *self.group):
            row = self.rows.newest[key]
            if row["phase"] != "running":
                await self.call("start", key)
            await self.rows.until(key, up())
            if row["failures"]:
                await self.call("reset", key)

    def zygote(self) -> int:
        """Return the pid of the base zygote, not of a channel's zygote."""
        for one in self.daemon.family():
            # Its forks have its command line, but names of their own.
            with suppress(psutil.Error):  # one that has ended meanwhile
                if one.name() == ZYGOTE and one.status() != psutil.STATUS_ZOMBIE:
                    return one.pid
        raise LookupError("there is no zygote")

    async def gateway(self) -> int:
        """Return the gateway's pid."""
        return int((await self.daemon.status())["gateway"]["pid"])

    async def resources(self) -> Resources:
        """Count processes and open files."""
        status = await self.daemon.status()
        gateway = status["gateway"]["pid"]
        known = {row["pid"] for row in status["accounts"].values()}
        known |= {self.daemon.pid, gateway}
        with suppress(LookupError):  # while it is replaced
            known.add(self.zygote())
        known |= set(self._channel_zygotes().values())
        found = {one.pid for one in self.daemon.family()} | self._marked()
        return Resources(
            strays=frozenset(found - known),
            files=_open_files("supervisor", self.daemon.pid, self._logs(status))
            + without_journal(_open_files("gateway", gateway, frozenset())),
        )

    def _channel_zygotes(self) -> dict[str, int]:
        """Return the pid of the latest zygote of each channel that has one."""
        found: dict[str, int] = {}
        for one in sorted(self.daemon.family(), key=lambda each: each.pid):
            with suppress(psutil.Error):  # one that has ended meanwhile
                if one.status() != psutil.STATUS_ZOMBIE and one.name().startswith("zygote-"):
                    found[one.name().partition("#")[0]] = one.pid
        return found

    def _logs(self, status: dict[str, Any]) -> frozenset[Path]:
        """Return the log files, each open from its first line until its writer has ended."""
        names = ("supervisor", "gateway", *status["accounts"])
        return frozenset(self.daemon.directory / "state" / "logs" / f"{name}.log" for name in names)

    def _marked(self) -> set[int]:
        """Return every process on this host with this runtime directory in its environment."""
        mark = f"TRUNKLINE_RUNTIME_DIR={self.daemon.run_dir}\0".encode()
        found = set()
        for directory in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (directory / "environ").read_bytes():
                    found.add(int(directory.name))
        return found


def _open_files(who: str, pid: int, but: frozenset[Path]) -> Counter[str]:
    """Return the targets of a process's open files; sockets and pipes without their numbers."""
    found: Counter[str] = Counter()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = link.readlink()
            if target not in but:
                found[f"{who}: {target}".partition(":[")[0]] += 1
    return found


def without_journal(files: Counter[str]) -> Counter[str]:
    """Return open files without the connections that the journal opens on demand.

    One writes; one reads, one moves the log, and one copies: more than these are left over.
    """
    return +Counter(
        {
            name: count - (JOURNAL_CONNECTIONS if JOURNAL.search(name) else 0)
            for name, count in files.items()
        }
    )


def config(siblings: int, rate: float) -> dict[str, Any]:
    """Return the accounts: siblings that emit ``rate`` messages a second, target and group."""
    quiet: dict[str, Any] = {key.partition(":")[2]: {} for key in GROUP}
    channels = {
        "local": {
            "rate": rate,
            "accounts": {f"s{number:02}": {} for number in range(siblings)},
        },
        "faulty": {"accounts": {"bad": target_account(), **quiet}},
    }
    return config_of(channels)


def target_account() -> dict[str, Any]:
    """Return the configuration of the target account."""
    limits = {
        "memorySoftBytes": 48 * MIB,
        "memoryHardBytes": 96 * MIB,
        "recycleJitterSeconds": 0,
        "openFiles": 256,
    }
    return {
        "limits": limits,
        "seconds": 3600,
        "restart": {"slowAfter": 10, "slowSeconds": SLOW_SECONDS},
    }


def config_of(channels: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of these channels, with time limits and waits cut to a fifth."""
    return {
        "channels": channels,
        "agents": {"default": "none"},
        "supervisor": {**BEAT, "restart": RESTART},
        "gateway": {
            "silentAfterSeconds": 5,
            "reload": {"debounceMs": 100},
            "limits": {"bufferedBytes": 256 * 1024},
        },
    }


@asynccontextmanager
async def fault_rig(siblings: int, rate: float) -> AsyncIterator[FaultRig]:
    """Start the daemon and wait until all accounts run and talk; end everything afterwards."""
    with ShortDirectory() as place:
        site = place / "site"
        site.mkdir()
        made = config(siblings, rate)
        daemon = TiedDaemon(place, made, site=str(faulty.install(site)))
        try:
            await daemon.start()
            await daemon.wait(all_run)
            keys = [f"local:s{number:02}" for number in range(siblings)]
            rig = FaultRig(daemon, keys, rate)
            async with rows_of(daemon) as rig.rows, rig.witness:
                await rig.witness.heard()
                yield rig
        finally:
            await daemon.__aexit__()


def all_run(status: dict[str, Any]) -> bool:
    """Return whether every account runs."""
    rows: list[Row] = list(status["accounts"].values())
    return bool(rows) and all(row["phase"] == "running" for row in rows)
