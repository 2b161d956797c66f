"""People on a real IRC server are answered by an agent of the real OpenClaw, which is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ipc.websocket.probe import challenges
from tests.interop.openclaw import Openclaw
from tests.support.daemon import Daemon
from tests.support.irc_server import IrcServer, visitor
from workers.testing.fakes.model import MODEL, FakeModel, fake_model
from workers.testing.ports import free_port

PATIENCE = 600.0  # seconds; OpenClaw starts in 10 to 40 on a calm host
SECRET = "other-token-0123456789"

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(4 * PATIENCE)]


class OpenclawGateway:
    """OpenClaw's own gateway, with one agent whose model is the test's."""

    def __init__(self, program: Openclaw, port: int, model: FakeModel) -> None:
        self._program = program
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        provider = {
            "baseUrl": model.base,
            "apiKey": "sk-fake",
            "api": "openai-completions",
            "models": [{"id": MODEL, "name": "Fake", "contextWindow": 120000, "maxTokens": 4096}],
        }
        config = {
            "models": {"mode": "merge", "providers": {"fake": provider}},
            "agents": {
                "defaults": {
                    "model": {"primary": f"fake/{MODEL}"},
                    "workspace": str(program.home / "workspace"),
                }
            },
            "gateway": {
                "mode": "local",
                "port": port,
                "bind": "loopback",
                "auth": {"mode": "token", "token": SECRET},
            },
        }
        (program.home / "openclaw.json").write_text(json.dumps(config))

    async def start(self) -> None:
        """Start it and wait until it takes connections."""
        output = (self._program.home / "output.txt").open("ab")
        with output:
            self._process = await asyncio.to_thread(
                subprocess.Popen,
                [str(self._program.folder / "node_modules/.bin/openclaw"), "gateway", "run"],
                env=self._program.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        async with asyncio.timeout(PATIENCE):
            while not await challenges(f"ws://127.0.0.1:{self._port}", 1.0):
                assert self._process.poll() is None, self._program.home
                await asyncio.sleep(0.2)

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@contextlib.asynccontextmanager
async def other_gateway(
    folder: Path, home: Path, model: FakeModel
) -> AsyncIterator[tuple[OpenclawGateway, str]]:
    port = free_port()
    url = f"ws://127.0.0.1:{port}"
    gateway = OpenclawGateway(Openclaw(folder, home, url, SECRET), port, model)
    try:
        await gateway.start()
        yield gateway, url
    finally:
        gateway.kill()


async def test_irc_is_answered_by_openclaw_whatever_happens_to_it(
    folder: Path, irc_server: IrcServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        fake_model() as model,
        other_gateway(folder, tmp_path_factory.mktemp("openclaw"), model) as (openclaw, url),
    ):
        bot = {"server": "127.0.0.1", "port": irc_server.port, "tls": False, "nick": "clawbot"}
        claw = {"kind": "openclaw", "url": url, "token": SECRET, "awaySeconds": PATIENCE}
        claw["timeoutSeconds"] = 2 * PATIENCE
        config = {
            "agents": {"default": "claw", "entries": {"claw": claw}},
            "channels": {"irc": {"accounts": {"libera": bot}}},
        }
        async with Daemon(tmp_path, config) as daemon:
            await daemon.wait_phase("irc:libera", "running")
            async with visitor(irc_server, "ann") as ann:
                model.queue(pieces=("It is ", "noon."))
                ann.say("clawbot", "what is the time?")
                said = await ann.expect("PRIVMSG ann", PATIENCE)
                assert said.endswith(":It is noon.")
                (first,) = model.requests
                assert "what is the time?" in json.dumps(first)

                model.queue(pieces=["word "] * 400, delay=0.25)
                ann.say("clawbot", "and now?")
                async with asyncio.timeout(PATIENCE):
                    while len(model.requests) < 2:  # noqa: ASYNC110 - a busy loop would slow it
                        await asyncio.sleep(0.05)
                openclaw.kill()
                model.script.clear()
                model.queue(pieces=("Half past ", "noon."))
                await openclaw.start()
                said = await ann.expect("PRIVMSG ann", PATIENCE)
                assert said.endswith(":Half past noon.")
                assert len(model.requests) == 3, "it was asked once more, by OpenClaw itself"

                model.queue(pieces=("Goodbye.",))
                ann.say("clawbot", "bye")
                assert (await ann.expect("PRIVMSG ann", PATIENCE)).endswith(":Goodbye.")
                answers = [line for line in ann.lines if "PRIVMSG ann" in line]
                assert len(answers) == 3
            (row,) = (await daemon.status())["agents"]
            assert row["plugin"]["connected"] is True
            log = (tmp_path / "state" / "logs" / "supervisor.log").read_text()
            assert SECRET not in log
