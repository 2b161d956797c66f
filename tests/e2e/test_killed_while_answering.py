"""What clients see whose answer is being made while the gateway is killed, and how they get it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.daemon import TOKEN, Daemon
from tests.support.until import PATIENCE, until

pytestmark = pytest.mark.e2e

ON = {"enabled": True}
CHAT, HOOK = "/v1/chat/completions", "/hooks/agent"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
# It says a word, and the rest once the file is there that is its first argument.
AGENT = """
import os, sys, time
text = sys.stdin.read().split()[-1]
print("begun", flush=True)
open(sys.argv[1] + "." + text, "w").close()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
print("ended " + text)
"""
TURNS = ("command", "plain", "stream", "hook", "socket")


def config(place: Path) -> dict[str, Any]:
    (place / "agent.py").write_text(AGENT)
    command = [sys.executable, str(place / "agent.py"), str(place / "go")]
    return {
        "agents": {"default": "main", "entries": {"main": {"kind": "command", "command": command}}},
        "gateway": {"http": {"endpoints": {"chatCompletions": ON}}},
        "channels": {"local": {"accounts": {"a": {}}}},
        "hooks": {"enabled": True, "token": "hook"},
    }


async def post(daemon: Daemon, path: str, body: Any, right: dict[str, str]) -> str:
    """Post a request that has a key; return what came of the answer, and how it ended."""
    limits = aiohttp.ClientTimeout(total=PATIENCE)
    url = f"http://127.0.0.1:{daemon.port}{path}"
    headers = right | {"Idempotency-Key": path + str(body.get("stream"))}
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.post(url, json=body, headers=headers) as answer,
        ):
            return await answer.text()
    except aiohttp.ClientPayloadError:
        return "cut: the body has no end"
    except aiohttp.ClientConnectionError:
        return "cut: no answer"


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "openclaw", "messages": [{"role": "user", "content": text}]} | more


async def test_an_answer_that_a_kill_cuts_off_comes_to_whoever_asks_again(tmp_path: Path) -> None:
    async with Daemon(tmp_path, config(tmp_path)) as daemon:
        await daemon.wait(lambda found: found["agents"][0]["phase"] == "running")
        hook = {"message": "hook", "deliver": False, "waitForCompletion": True}
        ask = {"message": "socket", "sessionKey": "one", "idempotencyKey": "k"}
        requests: list[tuple[str, Any, dict[str, str]]] = [
            (CHAT, said("plain"), RIGHT),
            (CHAT, said("stream", stream=True), RIGHT),
            (HOOK, hook, {"Authorization": "Bearer hook"}),
        ]
        client = await daemon.client()
        assert (await client.call("agent", ask))["status"] == "accepted"
        command = asyncio.ensure_future(daemon.command("agent", "--agent", "main", "-m", "command"))
        posts = [asyncio.ensure_future(post(daemon, *each)) for each in requests]
        files = [tmp_path / f"go.{each}" for each in TURNS if each not in ("command", "socket")]
        await until(lambda: all(each.exists() for each in files))
        os.kill((await daemon.status())["gateway"]["pid"], signal.SIGKILL)
        # Nothing of it looks like a whole answer.
        assert [await each for each in posts] == [
            "cut: no answer",
            "cut: the body has no end",
            "cut: no answer",
        ]
        again = [asyncio.ensure_future(post(daemon, *each)) for each in requests]
        (tmp_path / "go").touch()
        whole, stream, completion = [await each for each in again]
        assert "ended plain" in whole
        assert "ended stream" in stream
        assert stream.endswith("data: [DONE]\n\n")
        assert '"completion":{"status":"ok"' in completion
        code, out, err = await command
        assert (code, out) == (0, "begun\nended command\n"), err
        async with daemon.reconnecting() as later:
            ended = await later.call("agent.wait", {"runId": "k"})
            assert ended["status"] == "ok"
            answer = await later.call("agent", ask)
            assert answer["result"]["payloads"][0]["text"] == "begun\nended socket"
            listed = await later.call("sessions.list", {})
            assert listed["totalCount"] == len(TURNS)  # each was asked once
