"""OpenClaw's own ways to ask an agent, ours: ``openclaw agent`` and ``openclaw acp``."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.interop.agent_daemon import talking_daemon
from tests.interop.openclaw import PATIENCE, Answer, Openclaw
from tests.support.daemon import TOKEN, Daemon

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


def good(answer: Answer) -> Answer:
    assert answer.code == 0, answer
    return answer


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Daemon]:
    """A daemon whose agent is a program."""
    with talking_daemon(tmp_path_factory.mktemp("daemon")) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def openclaw(folder: Path, talking: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Openclaw:
    """The real command line, for the gateway of that daemon."""
    home = tmp_path_factory.mktemp("openclaw")
    made = Openclaw(folder, home, f"ws://127.0.0.1:{talking.port}", TOKEN)
    made.configure()
    return made


async def test_openclaw_agent_prints_the_answer(openclaw: Openclaw) -> None:
    ask = ["agent", "--agent", "main", "--message", "hello there"]
    said = good(await openclaw.run(*ask, env=openclaw.variables)).out
    assert "said: hello there" in said
    more = ["--session-id", "interop", "--thinking", "medium", "--json"]
    answer = good(await openclaw.run(*ask, *more, env=openclaw.variables)).json
    assert (answer["status"], answer["summary"]) == ("ok", "completed")
    assert answer["result"]["payloads"][0]["text"] == "said: hello there"
    assert answer["result"]["meta"]["agentMeta"]["usage"]["output"] == 6
    listed = good(await openclaw.call("sessions.list", "--json")).json
    assert "agent:main:explicit:interop" in {row["key"] for row in listed["sessions"]}


async def test_openclaw_agent_fails_with_a_run_that_fails(openclaw: Openclaw) -> None:
    for words, said in ((["main", "--message", "fail"], ""), (["nobody", "--message", "x"], "id")):
        answer = await openclaw.run("agent", "--agent", *words, env=openclaw.variables)
        assert answer.code == 1, answer
        assert said in answer.err + answer.out


class Acp:
    """The bridge ``openclaw acp``: JSON-RPC on its stdio. ``updates`` are what it has told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._last = 0
        self.updates: list[dict[str, Any]] = []

    def tell(self, method: str, **params: Any) -> None:
        """Send what has no answer."""
        self._write({"method": method, "params": params})

    async def call(self, method: str, **params: Any) -> Any:
        """Ask, and return the answer."""
        return await self.answer(self.ask(method, **params))

    def ask(self, method: str, **params: Any) -> int:
        """Ask; return the number of the request."""
        self._last += 1
        self._write({"id": self._last, "method": method, "params": params})
        return self._last

    async def answer(self, number: int) -> Any:
        """Return the answer to a request; updates that come before it are kept."""
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = await self._next()
                if frame.get("id") == number:
                    assert "result" in frame, frame
                    return frame["result"]

    async def prompt(self, session: str, text: str) -> str:
        """Say something; return why the turn ended."""
        self.updates.clear()
        prompt = [{"type": "text", "text": text}]
        ended = await self.call("session/prompt", sessionId=session, prompt=prompt)
        return str(ended["stopReason"])

    async def until(self, text: str) -> None:
        """Wait until the agent has said ``text``."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.text:
                await self._next()

    @property
    def text(self) -> str:
        """What the agent has said since the last prompt."""
        return "".join(each["content"]["text"] for each in self.of("agent_message_chunk"))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the updates of one kind since the last prompt."""
        return [each for each in self.updates if each["sessionUpdate"] == kind]

    async def _next(self) -> dict[str, Any]:
        line = await self._stdout.readline()
        assert line, f"it has ended; it said {self.updates}"
        frame: dict[str, Any] = json.loads(line)
        if frame.get("method") == "session/update":
            self.updates.append(frame["params"]["update"])
        return frame

    def _write(self, frame: dict[str, Any]) -> None:
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")


@contextlib.asynccontextmanager
async def acp(openclaw: Openclaw) -> AsyncIterator[Acp]:
    """Run the bridge; it ends when its stdin does, with the process that it has started."""
    with (openclaw.home / "acp.txt").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *("openclaw", "acp", *openclaw.flags),
            env=openclaw.env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=16 * 1024 * 1024,
        )
    bridge = Acp(process)
    try:
        capabilities = {"fs": {"readTextFile": False, "writeTextFile": False}}
        await bridge.call("initialize", protocolVersion=1, clientCapabilities=capabilities)
        yield bridge
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await process.communicate()
        finally:
            for each in family:  # they hold its stdout, and are left where it is killed
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()


async def test_openclaw_acp_prompts_an_agent(openclaw: Openclaw) -> None:
    async with acp(openclaw) as bridge:
        made = await bridge.call("session/new", cwd="/tmp", mcpServers=[])
        session = made["sessionId"]
        assert await bridge.prompt(session, "hello acp") == "end_turn"
        assert bridge.text == "said: hello acp"

        assert await bridge.prompt(session, "tool") == "end_turn"
        (call,) = bridge.of("tool_call")
        assert (call["toolCallId"], call["rawInput"]) == ("call_1", {"zone": "Europe/Rome"})
        done = bridge.of("tool_call_update")[-1]
        assert (done["toolCallId"], done["status"]) == ("call_1", "completed")
        assert bridge.text == "said: tool"

        bridge.updates.clear()
        prompt = [{"type": "text", "text": "slow"}]
        number = bridge.ask("session/prompt", sessionId=session, prompt=prompt)
        await bridge.until("word5")
        bridge.tell("session/cancel", sessionId=session)
        assert (await bridge.answer(number))["stopReason"] == "cancelled"

        assert await bridge.prompt(session, "fail") == "refusal"  # exit status 65 says so
        for option in made["configOptions"]:
            for each in option["options"]:
                chosen = {"configId": option["id"], "value": each["value"]}
                await bridge.call("session/set_config_option", sessionId=session, **chosen)
        await bridge.call("session/set_mode", sessionId=session, modeId="off")
        again = {"sessionId": session, "cwd": "/tmp", "mcpServers": []}
        bridge.updates.clear()
        await bridge.call("session/load", **again)
        assert bridge.text.startswith("said: hello acp")
        await bridge.call("session/resume", **again)
        assert await bridge.prompt(session, "and once more") == "end_turn"
        assert bridge.text == "said: and once more"
        await bridge.call("session/close", sessionId=session)
