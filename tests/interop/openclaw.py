"""The real OpenClaw's programs, from the folder that ``tests/install-openclaw`` filled.

They get a home of their own, so that nothing of the person who runs the tests is read or written.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "TRUNKLINE_OPENCLAW"
PATIENCE = 300.0  # seconds; one start of the command line takes 2 to 6, and some run beside others
PLUGIN = Path(__file__).parent / "plugin"  # makes channels of those that the gateway has
PACKAGES = ("node", "openclaw", "@openclaw/gateway-client")
CHANNELS = ("irc", "telegram", "local", "webhook", "discord")


def lacking(folder: Path) -> list[str]:
    """Return the packages that the tests need and the folder does not have."""
    modules = folder / "node_modules"
    return [name for name in PACKAGES if not (modules / name / "package.json").exists()]


@dataclass(frozen=True)
class Answer:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return what it printed with ``--json``."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


@dataclass
class Openclaw:
    """The command line of OpenClaw for one gateway. ``home`` is its state directory."""

    folder: Path
    home: Path
    url: str
    token: str
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        path = os.pathsep.join([str(self.folder / "node_modules" / ".bin"), os.environ["PATH"]])
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("OPENCLAW_")},
            "PATH": path,
            "HOME": str(self.home),
            "OPENCLAW_STATE_DIR": str(self.home),
            "NO_COLOR": "1",
        }

    @property
    def flags(self) -> tuple[str, ...]:
        """Return how most commands are told where the gateway is."""
        return ("--url", self.url, "--token", self.token)

    @property
    def variables(self) -> dict[str, str]:
        """Return how the others are told."""
        return {"OPENCLAW_GATEWAY_URL": self.url, "OPENCLAW_GATEWAY_TOKEN": self.token}

    def configure(self) -> None:
        """Write the configuration: our plugin, without which it asks no gateway for a channel."""
        config = {
            "channels": {channel: {"enabled": True} for channel in CHANNELS},
            "plugins": {
                "load": {"paths": [str(PLUGIN)]},
                "allow": ["trunkline-channels"],
                "entries": {"trunkline-channels": {"enabled": True}},
            },
        }
        (self.home / "openclaw.json").write_text(json.dumps(config))

    async def run(self, *args: str, env: dict[str, str] | None = None) -> Answer:
        """Run ``openclaw`` with these arguments."""
        return await self._execute(["openclaw", *args], env)

    async def call(self, method: str, *more: str) -> Answer:
        """Run ``openclaw gateway call``."""
        return await self.run("gateway", "call", method, *self.flags, *more)

    async def _execute(self, command: Sequence[str], env: dict[str, str] | None) -> Answer:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self.env | (env or {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                out, err = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())
