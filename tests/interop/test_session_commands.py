"""``openclaw sessions`` and ``openclaw tui`` against our gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.interop.agent_daemon import talking_daemon
from tests.interop.conftest import commands
from tests.interop.openclaw import PATIENCE, Answer, Openclaw
from tests.support.daemon import Daemon

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]

ONE, MAIN = "agent:main:explicit:one", "agent:main:main"


@pytest.fixture
def talking(tmp_path: Path, folder: Path) -> Iterator[Daemon]:
    """A daemon whose agent is a program, for one test: its gateway may be restarted."""
    with talking_daemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def openclaw(folder: Path, talking: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Openclaw:
    """The real command line, for the gateway of that daemon."""
    return commands(folder, talking, tmp_path_factory.mktemp("openclaw"))


def outcomes(answer: Answer) -> list[tuple[str, str]]:
    """Return what became of each session."""
    return [(each["key"], each["status"]) for each in answer.json["results"]]


async def test_openclaw_sessions_archives_and_deletes(openclaw: Openclaw) -> None:
    async def sessions(*words: str) -> Answer:
        return await openclaw.run("sessions", *words, "--json", *openclaw.flags)

    async def ask(*where: str) -> None:
        words = ("agent", "--agent", "main", "--message", "hello", *where)
        answer = await openclaw.run(*words, env=openclaw.variables)
        assert answer.code == 0, answer

    await asyncio.gather(ask("--session-id", "one"), ask("--session-key", MAIN))
    tried, *kept = await asyncio.gather(
        sessions("archive", ONE, "--dry-run"),
        sessions("archive", MAIN, "--dry-run"),
        sessions("archive", MAIN),
        sessions("delete", MAIN, "--yes"),
    )
    assert (tried.code, outcomes(tried)) == (0, [(ONE, "would_archive")]), tried
    for each in kept:
        assert (each.code, outcomes(each)) == (1, [(MAIN, "failed")]), each
        assert "main session" in each.json["results"][0]["error"]
    both = await sessions("archive", ONE, "agent:main:nothing")
    wanted = [(ONE, "archived"), ("agent:main:nothing", "not_found")]
    assert (both.code, outcomes(both)) == (1, wanted), both
    again = await sessions("archive", ONE)
    assert (again.code, outcomes(again)) == (0, [(ONE, "already_archived")]), again
    gone = await sessions("delete", ONE, "--yes")
    assert (gone.code, outcomes(gone)) == (0, [(ONE, "deleted")]), gone
    missing = await sessions("delete", ONE, "--yes")
    assert (missing.code, outcomes(missing)) == (1, [(ONE, "not_found")]), missing


async def test_openclaw_sessions_compacts(openclaw: Openclaw, talking: Daemon) -> None:
    async def compact(key: str, *words: str) -> Answer:
        return await openclaw.run("sessions", "compact", key, *words, *openclaw.flags)

    client = await talking.client()
    for number in range(4):
        said = {"message": f"hello {number}", "sessionKey": ONE, "idempotencyKey": f"n{number}"}
        await client.call("chat.send", said)
        ended = await client.call("agent.wait", {"runId": f"n{number}"})
        assert ended["status"] == "ok"
    nothing, gone, summed_up = await asyncio.gather(
        compact("agent:main:nothing"),
        compact("agent:nobody:main", "--json"),
        compact(ONE, "--agent", "main", "--json", "--timeout", "60000"),
    )
    assert (nothing.code, "No compaction needed" in nothing.out) == (0, True), nothing
    assert "(no transcript)" in nothing.out
    assert (gone.code, gone.json["ok"]) == (1, False), gone
    assert 'Agent "nobody" no longer exists' in gone.json["error"]
    assert (summed_up.code, summed_up.json["compacted"]) == (0, True), summed_up
    assert summed_up.json["result"]["summary"].startswith("said: Sum up the conversation")
    small = await compact(ONE)
    wanted = "Nothing to compact (session too small)"
    assert (small.code, wanted in small.err) == (1, True), small
    shortened = await compact(ONE, "--max-lines", "2")
    assert (shortened.code, "(kept 2 lines)" in shortened.out) == (0, True), shortened
    sessions = (await client.call("sessions.list"))["sessions"]
    assert [each["key"] for each in sessions] == [ONE]
    history = await client.call("chat.history", {"sessionKey": ONE})
    assert len(history["messages"]) == 8  # people read all of it
    await client.close()


class Terminal:
    """A program in a terminal that is not shown: tmux keeps its screen."""

    def __init__(self, directory: Path) -> None:
        self._tmux = ("tmux", "-S", str(directory / "tmux"), "-f", "/dev/null")

    async def start(self, program: Openclaw, *words: str) -> None:
        """Start the command line; what it says at its end stays on the screen."""
        command = f"{shlex.join(['openclaw', *words])}; echo ended; sleep 600"
        size = ("-x", "120", "-y", "40")
        await self._run("new-session", "-d", *size, "-s", "tui", command, env=program.env)

    async def type(self, text: str) -> None:
        """Type a line."""
        await self._run("send-keys", "-t", "tui", "-l", text)
        await self._run("send-keys", "-t", "tui", "Enter")

    async def until(self, *words: str) -> str:
        """Return the screen once all the words stand on it."""
        screen = ""
        try:
            async with asyncio.timeout(2 * PATIENCE):
                while not all(each in screen for each in words):
                    screen = await self._run("capture-pane", "-p", "-t", "tui")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{words} do not all stand there:\n{screen.strip()}") from None
        return screen

    async def close(self) -> None:
        """End the terminal and what runs in it."""
        await self._run("kill-server")

    async def _run(self, *words: str, env: dict[str, str] | None = None) -> str:
        # Its server is a child of the first one, and would keep a pipe open for as long as it runs.
        shown = words[0] == "capture-pane"
        process = await asyncio.create_subprocess_exec(
            *self._tmux,
            *words,
            env=env or dict(os.environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if shown else asyncio.subprocess.DEVNULL,
        )
        out, _ = await process.communicate()
        return out.decode() if shown else ""


@contextlib.asynccontextmanager
async def terminal(directory: Path) -> AsyncIterator[Terminal]:
    made = Terminal(directory)
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")
async def test_openclaw_tui_talks_to_an_agent(
    openclaw: Openclaw, talking: Daemon, short_path: Path
) -> None:
    async with terminal(short_path) as screen:
        await screen.start(openclaw, "tui", *openclaw.flags)
        shown = await screen.until("gateway connected", "agent main")
        assert "failed" not in shown
        await screen.type("hello terminal")
        await screen.until("said: hello terminal")
        await talking.call("gateway.restart")
        await screen.until("gateway reconnected")
        await screen.type("and again")
        await screen.until("said: and again")
        await screen.type("/new")
        await screen.until("session tui-")
        await screen.type("in a new one")
        shown = await screen.until("said: in a new one")
        assert "unknown method" not in shown
