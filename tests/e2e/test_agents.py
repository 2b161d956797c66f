"""Agents are processes of the daemon's own, with all that accounts have, and are no accounts."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipc.frames.words import Phase
from tests.support.agent_packages import install_kind
from tests.support.daemon import Daemon
from tests.support.until import until

pytestmark = pytest.mark.e2e
MAIN = "agent:main"

AGENT = """
import msgspec
from workers.agent import AgentManifest, Final


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    mood: str


class Moody:
    def __init__(self, ctx):
        ctx.log.info("made", mood=ctx.config.mood)

    async def turn(self, turn):
        yield Final(turn.text)


manifest = AgentManifest("moody", "Moody", Config, agent="moody_agent:Moody")
"""


def agents(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["account"]: row for row in status["agents"]}


def running(status: dict[str, Any]) -> bool:
    rows = [*status["accounts"].values(), *status["agents"]]
    return bool(status["agents"]) and all(row["phase"] == Phase.RUNNING for row in rows)


async def test_an_agent_is_restarted_stays_stopped_and_is_no_account(tmp_path: Path) -> None:
    install_kind(tmp_path / "lib", "moody", "moody_agent:manifest", AGENT)
    config = {
        "agents": {"default": "none", "entries": {"main": {"kind": "moody", "mood": "grim"}}},
        "channels": {"local": {"accounts": {"one": {}}}},
    }
    async with Daemon(tmp_path, config, PYTHONPATH=str(tmp_path / "lib")) as daemon:
        first = agents(await daemon.wait(running))[MAIN]
        os.kill(first["pid"], signal.SIGKILL)
        again = await daemon.wait(
            lambda s: running(s) and agents(s)[MAIN]["incarnation"] > first["incarnation"]
        )
        assert agents(again)[MAIN]["restarts"] == 1
        assert again["accounts"]["local:one"]["restarts"] == 0

        await daemon.call("channels.stop", {"accounts": ["*"], "wait": True})
        held = await daemon.status()
        assert held["accounts"]["local:one"]["phase"] == Phase.STOPPED
        assert agents(held)[MAIN]["phase"] == Phase.RUNNING

        client = await daemon.client()
        listed = (await client.call("agents.list", {}))["agents"]
        assert [(each["id"], each["kind"], each["phase"]) for each in listed] == [
            ("main", "moody", "running")
        ]
        health = await client.call("health")
        assert list(health["channels"]) == ["local"]
        params = {"channel": "agent", "accountId": "main", "reason": "night"}
        assert (await client.call("channels.stop", params))["stopped"]
        await client.close()

        lines = (await daemon.call("channels.logs", {"accounts": [MAIN], "lines": 20}))["lines"]
        assert any("grim" in str(line) for line in lines)
        daemon.end()
        await daemon.start()
        row = agents(await daemon.status())[MAIN]
        assert (row["phase"], row["cause"], row["hold"]["reason"]) == ("stopped", "held", "night")


async def test_the_command_line_asks_an_agent_and_prints_its_answer(tmp_path: Path) -> None:
    config = {
        "agents": {"default": "main", "entries": {"main": {"kind": "echo"}}},
        "channels": {"local": {"accounts": {"one": {}}}},
    }
    async with Daemon(tmp_path, config) as daemon:
        await daemon.wait(running)
        ask = ["agent", "-m", "hello", "--agent", "main", "--idempotency-key", "k"]
        code, out, err = await daemon.command(*ask)
        assert (code, out.strip()) == (0, "echo: hello"), err
        code, out, err = await daemon.command(*ask, "--json")
        assert json.loads(out)["result"]["payloads"][0]["text"] == "echo: hello", err
        code, out, err = await daemon.command("agent", "-m", "x", "--session", "s", "--stream")
        assert (code, out.strip()) == (0, "echo: x"), err


async def test_a_program_that_is_attached_answers_in_place_of_a_process(tmp_path: Path) -> None:
    config = {
        "agents": {"default": "prog", "entries": {"prog": {"kind": "client"}}},
        "channels": {"local": {"accounts": {"one": {}}}},
    }
    async with Daemon(tmp_path, config) as daemon:
        waiting = ("starting", "nobody_attached")

        def is_so(status: dict[str, Any], *so: Any) -> bool:
            (row,) = status["agents"]
            return (row["phase"], row["cause"]) == so

        await daemon.wait(lambda status: is_so(status, *waiting))
        client = await daemon.client()
        await client.call("agents.attach", {"agentId": "prog"})
        (row,) = (await daemon.wait(lambda status: is_so(status, "running", None)))["agents"]
        assert (row["pid"], row["health"]) == (None, "ok")
        asking = await daemon.client()
        ask = {"message": "hi", "agentId": "prog", "idempotencyKey": "k"}
        assert (await asking.call("agent", ask))["status"] == "accepted"
        async for event in client.events():
            if event.event == "agent.turn":
                turn = json.loads(bytes(event.payload or b""))["turn"]
                break
        end = {"turn": turn, "seq": 1, "final": {"text": "hello yourself"}}
        assert await client.call("agents.turn.end", end) == {"acked": 1}
        answer = await asking.call("agent", ask)
        assert answer["result"]["payloads"][0]["text"] == "hello yourself"
        await client.close()
        await daemon.wait(lambda status: is_so(status, *waiting))
        await asking.close()


HOG = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
kept = b"x" * (200 << 20)
time.sleep(3600)
"""


async def test_the_programs_of_an_agent_count_towards_its_memory_and_end_with_it(
    tmp_path: Path,
) -> None:
    pid = tmp_path / "pid"
    program = shlex.join([sys.executable, "-c", HOG, str(pid)])
    main = {
        "kind": "command",
        "command": ["sh", "-c", f"{program}; exit 0"],  # below another program
        "limits": {"memoryHardBytes": 128 << 20},
        "repeat": "never",
    }
    config = {
        "agents": {"default": "main", "entries": {"main": main}},
        "channels": {"local": {"accounts": {"one": {}}}},
        "supervisor": {"beatSeconds": 0.2},
    }
    async with Daemon(tmp_path, config) as daemon:
        await daemon.wait(running)
        asking = asyncio.create_task(daemon.command("agent", "-m", "go", "--agent", "main"))
        row = agents(await daemon.wait(lambda s: agents(s)[MAIN]["restarts"]))[MAIN]
        assert "over the hard limit of 128 MiB" in row["lastError"]
        await until(lambda: not psutil.pid_exists(int(pid.read_text())))
        code, _, err = await asking
        assert code != 0, err
