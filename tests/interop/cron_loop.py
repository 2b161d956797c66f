"""``openclaw cron list`` again and again, while the gateway is restarted and killed.

The command tries once only: each replacement of the gateway that it notices is a failed call.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop.openclaw import Answer, Openclaw
from tests.support.daemon import Daemon
from tests.support.restarts import kill_gateway, restart_gateway

AT_ONCE = 2  # command lines: as many as there are cores
AIM_SECONDS = 0.04  # from the connection of a call to the blow, at most: it asks in this time
LOOK_SECONDS = 0.005
_ESTABLISHED = "01"  # in /proc/net/tcp


@dataclass
class CronLoop:
    """What was done and seen. ``aimed``: so many blows fell just after a call had connected."""

    openclaw: Openclaw
    daemon: Daemon
    calls: int
    answers: list[Answer] = field(default_factory=list)
    kills: int = 0
    restarts: int = 0
    aimed: int = 0
    _left: int = 0
    _began: float = 0.0

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.code != 0]

    async def run(self, restarts: int, kills: int) -> None:
        """Make all calls, and spread the replacements over them."""
        self._left, self._began = self.calls, time.monotonic()
        blows = [*["restart"] * restarts, *["kill"] * kills]
        random.shuffle(blows)
        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(self._call()) for _ in range(AT_ONCE)]
            for number, blow in enumerate(blows, 1):
                await self._until_done(number * self.calls // (len(blows) + 1))
                await self._aim()
                if blow == "kill":
                    await kill_gateway(self.daemon)
                    self.kills += 1
                else:
                    await restart_gateway(self.daemon)
                    self.restarts += 1
                print(self, flush=True)
            await asyncio.gather(*callers)
        print(self, flush=True)

    def __str__(self) -> str:
        return (
            f"{time.monotonic() - self._began:.0f} s: {len(self.answers)} calls, "
            f"{len(self.failed)} failed, {self.restarts} restarts, {self.kills} kills "
            f"({self.aimed} of both just after a call had connected)"
        )

    async def _call(self) -> None:
        while self._left:
            self._left -= 1
            answer = await self.openclaw.run("cron", "list", *self.openclaw.flags)
            self.answers.append(answer)
            if answer.code != 0:
                print(f"\nFAILED: {answer}", flush=True)

    async def _until_done(self, count: int) -> None:
        while len(self.answers) < count:  # noqa: ASYNC110 - calls take seconds
            await asyncio.sleep(0.1)

    async def _aim(self) -> None:
        """Wait until another call has connected, and for a moment, which is never the same."""
        before = _clients_of(self.daemon.port)
        while len(self.answers) + AT_ONCE <= self.calls:
            await asyncio.sleep(LOOK_SECONDS)
            now = _clients_of(self.daemon.port)
            if now - before:
                await asyncio.sleep(random.uniform(0, AIM_SECONDS))
                self.aimed += 1
                return
            before = now


def _clients_of(port: int) -> set[str]:
    """Return the addresses from which there are connections to a port of this host."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, ours, theirs, state = line.split()[:4]
        if state == _ESTABLISHED and int(ours.rpartition(":")[2], 16) == port:
            found.add(theirs)
    return found
