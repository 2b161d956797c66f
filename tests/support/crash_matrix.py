"""Kills one process of the daemon at a named step between a message and its answer.

The moments are hit by barriers: the agent of the test goes on when a file is there, and a gateway
that is stopped reads nothing.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.agent_packages import install_kind
from tests.support.daemon import Daemon
from tests.support.until import until
from workers.testing.fakes.telegram import ApiFault, FakeTelegram

KEY, TOKEN = "telegram:bot1", "1:AAtoken-of-a-fake-bot"
PROCESSES = ("agent", "worker", "gateway", "supervisor")
MOMENTS = (
    "before the run is stored",
    "while it runs",
    "after the final, before the outbox",
    "while sending",
)
ONCE, DOUBT, EITHER = "answered once", "in doubt", "answered once, or in doubt"
# Where the account's process is gone: what the platform was carrying out for it is in doubt, and
# what the gateway has sent it before it could know that it was gone.
RESULTS = {
    ("worker", MOMENTS[2]): EITHER,
    ("worker", MOMENTS[3]): DOUBT,
    ("supervisor", MOMENTS[3]): DOUBT,
}

AGENT = '''
import asyncio
from pathlib import Path

import msgspec
from workers.agent import AgentManifest, Final


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    place: str


class Held:
    """An agent that answers once the test lets it, and marks what it has done."""

    def __init__(self, ctx):
        self.place = Path(ctx.config.place)

    async def turn(self, turn):
        self.mark(turn.text, "begun")
        try:
            while not (self.place / f"{turn.text}.go").exists():
                await asyncio.sleep(0.005)
            yield Final(f"echo: {turn.text}")
        finally:
            loop = asyncio.get_running_loop()  # the end is sent in its next turn
            loop.call_soon(loop.call_soon, self.mark, turn.text, "sent")

    def mark(self, text, what):
        (self.place / f"{text}.{what}").touch()


manifest = AgentManifest("held", "Held", Config, agent="held_agent:Held")
'''


class Cell(NamedTuple):
    """One cell of the matrix: which process is killed, and when."""

    killed: str
    moment: str

    @property
    def result(self) -> str:
        """What a person gets."""
        return RESULTS.get(self, ONCE)


CELLS = [Cell(killed, moment) for killed in PROCESSES for moment in MOMENTS]


def table() -> str:
    """Return the matrix as a table in Markdown."""
    lines = [" | ".join(["killed", *MOMENTS]), "|".join(["---"] * (len(MOMENTS) + 1))]
    for killed in PROCESSES:
        results = [Cell(killed, moment).result for moment in MOMENTS]
        lines.append(" | ".join([f"the {killed}", *results]))
    return "\n".join(f"| {line} |" if " | " in line else f"|{line}|" for line in lines)


class Matrix:
    """A daemon with one bot and an agent that waits; their marks are files in ``place``."""

    def __init__(self, directory: Path, fake: FakeTelegram) -> None:
        self.fake, self.bot = fake, fake.bot(TOKEN)
        self._before: set[str] = set()  # answers of earlier cells
        self.place = directory / "marks"
        self.place.mkdir()
        install_kind(directory / "lib", "held", "held_agent:manifest", AGENT)
        main = {"kind": "held", "place": str(self.place)}
        accounts = {"bot1": {"botToken": TOKEN}}
        config = {
            "agents": {"default": "main", "entries": {"main": main}},
            "queue": {"mode": "followup"},
            "supervisor": {"beatSeconds": 0.1},
            "channels": {"telegram": {"apiRoot": fake.root, "accounts": accounts}},
        }
        self.daemon = Daemon(directory, config, PYTHONPATH=str(directory / "lib"))

    async def run(self, cell: Cell, text: str) -> None:
        """Kill the process of a cell at its step for the message ``text``, and check the result."""
        bot, daemon = self.bot, self.daemon
        pids = await self._ready()
        gateway = pids["gateway"]
        if cell.moment == "before the run is stored":
            self.go(text)
            os.kill(gateway, signal.SIGSTOP)
            before = (await daemon.status())["accounts"][KEY]["messagesIn"]
            await self.fake.say(TOKEN, text)
            await daemon.wait(lambda s: s["accounts"][KEY]["messagesIn"] > before)
        elif cell.moment == "while it runs":
            await self.fake.say(TOKEN, text)
            await self.marked(text, "begun")
        elif cell.moment == "after the final, before the outbox":
            await self.fake.say(TOKEN, text)
            await self.marked(text, "begun")
            os.kill(gateway, signal.SIGSTOP)
            self.go(text)
            await self.marked(text, "sent")
        else:
            self.go(text)
            before = bot.calls["sendmessage"]
            with_worker = cell.killed in ("worker", "supervisor")
            bot.faults.append(ApiFault("sendMessage", slow=30.0 if with_worker else 2.0))
            await self.fake.say(TOKEN, text)
            await until(lambda: bot.calls["sendmessage"] > before)  # it is not answered yet
        if cell.killed == "supervisor":
            daemon.kill()
            await daemon.start()
        else:
            os.kill(pids[cell.killed], signal.SIGKILL)
        if cell.killed in ("agent", "worker"):
            os.kill(gateway, signal.SIGCONT)
        if cell == ("worker", "while it runs"):  # the answer comes when it is known to be gone
            await daemon.wait(lambda s: s["accounts"][KEY]["pid"] != pids["worker"])
        self.go(text)
        await self._check(cell, text)

    def go(self, text: str) -> None:
        """Let the agent answer a message."""
        (self.place / f"{text}.go").touch()

    async def marked(self, text: str, what: str) -> None:
        """Wait until the agent has marked what it has done with a message."""
        await until(lambda: (self.place / f"{text}.{what}").exists())

    async def _ready(self) -> dict[str, int]:
        """Wait until everything runs; return its processes."""

        def runs(status: dict[str, Any]) -> bool:
            rows = [*status["accounts"].values(), *status["agents"]]
            return status["gateway"]["connected"] and all(
                row["phase"] == "running" and row["pid"] for row in rows
            )

        status = await self.daemon.wait(runs)
        await self.fake.until(lambda: self.bot.poll is not None, 30)
        (agent,) = status["agents"]
        rows = {"agent": agent, "worker": status["accounts"][KEY], "gateway": status["gateway"]}
        return {name: int(row["pid"]) for name, row in rows.items()}

    async def _check(self, cell: Cell, text: str) -> None:
        """Wait for the result of a cell, then for the answer to a later message."""
        later = f"after-{text}"
        self.go(later)
        await self.fake.say(TOKEN, later)
        await self.fake.until(lambda: f"echo: {later}" in self.bot.texts, 60)
        counted = Counter(self.bot.texts)
        assert counted[f"echo: {later}"] == 1
        async with self.daemon.reconnecting() as client:
            letters = (await client.call("deadletters.list"))["letters"]
        found = counted[f"echo: {text}"], [each["state"] for each in letters]
        once: list[tuple[int, list[str]]] = [(1, [])]
        doubt: list[tuple[int, list[str]]] = [(0, ["unknown"]), (1, ["unknown"])]
        expected = {ONCE: once, DOUBT: doubt, EITHER: once + doubt}[cell.result]
        assert found in expected, f"{cell}: {found}"
        assert set(counted) <= {f"echo: {text}", f"echo: {later}"} | self._before
        self._before |= set(counted)
