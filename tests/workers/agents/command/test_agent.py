"""Real programs, one for each turn: what they print, how they end, and that nothing stays."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import agent_of, asked, events_of, failure_of_turn, text_of
from tests.support.until import until
from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, Usage
from workers.agents.answers import BrokenAnswer
from workers.agents.command import manifest
from workers.errors import Misconfigured, NeedsLogin, RateLimited, Transient, TurnRefused


def sh(script: str, **more: Any) -> dict[str, Any]:
    return {"command": ["sh", "-c", script]} | more


async def said(tmp_path: Path, config: dict[str, Any], text: str = "hello", **turn: Any) -> Any:
    async with agent_of(manifest, tmp_path, config) as agent:
        return await events_of(agent, asked(text, **turn))


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("cat", "hello"),
        ("true", ""),
        ("echo; echo ' one'; echo; echo two; echo", "one\n\ntwo"),
        (r"printf 'a\000b'", "ab"),
        (r"printf '\303\274\377'", "ü�"),
        ("exec <&-; sleep 0.1; echo deaf", "deaf"),
        ("sleep 3600 & echo left", "left"),  # what it has started ends with it
        ("setsid sleep 2 & echo gone", "gone"),  # but for what has left its group
    ],
)
async def test_text_is_the_answer_without_the_space_around_it(
    tmp_path: Path, script: str, text: str
) -> None:
    events = await said(tmp_path, sh(script))
    assert text_of(events) == text
    assert events[-1] == Final()


async def test_text_is_yielded_as_it_comes(tmp_path: Path) -> None:
    script = "echo one; while [ ! -e go ]; do sleep 0.01; done; cat"
    async with (
        agent_of(manifest, tmp_path, sh(script)) as agent,
        aclosing(agent.turn(asked())) as events,
    ):
        assert await anext(events) == Delta("one")
        (tmp_path / "go").touch()
        assert await anext(events) == Delta("\nhello")
        assert await anext(events) == Final()


async def test_lines_of_json_are_events(tmp_path: Path) -> None:
    script = """cat <<'X'
{"type":"notice","text":"n"}

{"type":"toolCall","id":"1","name":"f","arguments":{"a":1}}
{"type":"toolResult","id":"1","output":"o"}
{"type":"delta","text":"d"}
X
printf '{"type":"final","usage":{"output":2},"stopReason":"stop"}'
"""
    assert await said(tmp_path, sh(script, output="jsonl")) == [
        Notice("n"),
        ToolCall("1", "f", {"a": 1}),
        ToolResult("1", "o"),
        Delta("d"),
        Final(usage=Usage(output=2), stop_reason="stop"),
    ]


async def test_without_a_final_line_the_exit_is_the_end(tmp_path: Path) -> None:
    config = sh("""echo '{"type":"delta","text":"d"}'""", output="jsonl")
    assert await said(tmp_path, config) == [Delta("d"), Final()]


async def test_what_goes_on_after_its_final_line_is_ended(tmp_path: Path) -> None:
    script = """echo '{"type":"final","text":"t"}'; echo $$ >pid; sleep 3600"""
    config = sh(script, output="jsonl", killAfterSeconds=0.2)
    assert await said(tmp_path, config) == [Final("t")]
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_it_learns_the_turn_and_gets_a_chosen_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    monkeypatch.setenv("GIVEN_ON", "given")
    config = {"command": "env", "env": {"OWN": "own"}, "inheritEnv": ["PATH", "GIVEN_ON"]}
    found = text_of(await said(tmp_path, config, account="irc:a")).splitlines()
    wanted = {"OWN=own", "GIVEN_ON=given", "TRUNKLINE_TURN=r1", "TRUNKLINE_ACCOUNT=irc:a"}
    assert wanted <= set(found)
    assert not any(line.startswith("SECRET_OF_THE_DAEMON") for line in found)
    assert text_of(await said(tmp_path, {"command": "pwd"})) == str(tmp_path)
    assert text_of(await said(tmp_path, {"command": "pwd", "cwd": "/"})) == "/"


TEXT: list[tuple[str, type[Exception], str]] = [
    ("echo out of luck >&2; exit 1", BrokenAnswer, "status 1: out of luck"),
    ("echo half; exit 65", TurnRefused, "status 65"),
    ("exit 69", Transient, "status 69"),
    ("exit 75", Transient, "status 75"),
    ("exit 77", NeedsLogin, "status 77"),
    ("exit 78", Misconfigured, "status 78"),
    ("no-such-program-here", Misconfigured, "status 127"),
    ("kill -SEGV $$", BrokenAnswer, "signal 11"),
    ("yes", BrokenAnswer, "longer than 2000 bytes"),
    ("cat /dev/zero", BrokenAnswer, "longer than 2000 bytes"),
    ("trap '' TERM PIPE; cat /dev/zero", BrokenAnswer, "longer than 2000 bytes"),
]
JSON: list[tuple[str, type[Exception], str]] = [
    ("echo hello", BrokenAnswer, "not JSON"),
    ("printf hello", BrokenAnswer, "not JSON"),
    (r"printf '\000\000\n'", BrokenAnswer, "not JSON"),
    ("echo '[]'", BrokenAnswer, "JSON object"),
    ("""echo '{"type":"odd"}'""", BrokenAnswer, "unknown type"),
    ("""echo '{"type":"final","text":7}'""", BrokenAnswer, "Expected `str"),
    ("cat /dev/zero", BrokenAnswer, "longer than 2000 bytes"),
    ("yes ''", BrokenAnswer, "longer than 2000 bytes"),
    (
        """echo '{"type":"error","kind":"rate_limited","message":"slow","retryAfter":3}'""",
        RateLimited,
        "slow",
    ),
    ("exit 75", Transient, "status 75"),
]
ROWS = [("text", *row) for row in TEXT] + [("jsonl", *row) for row in JSON]


@pytest.mark.parametrize(("output", "script", "kind", "words"), ROWS)
async def test_a_fault_ends_the_turn_with_its_class_and_the_program_with_it(
    tmp_path: Path, output: str, script: str, kind: type[Exception], words: str
) -> None:
    config = sh(f"echo $$ >pid; {script}", output=output, maxAnswerBytes=2000, killAfterSeconds=0.1)
    async with agent_of(manifest, tmp_path, config) as agent:
        error = await failure_of_turn(agent, asked())
        assert type(error) is kind, repr(error)
        assert words in str(error)
        assert not alive(int((tmp_path / "pid").read_text()))


async def test_a_line_without_an_end_is_bounded(tmp_path: Path) -> None:
    config = sh("tr '\\0' x </dev/zero", output="jsonl", maxAnswerBytes=8 << 20)
    async with agent_of(manifest, tmp_path, config) as agent:
        error = await failure_of_turn(agent, asked())
        assert isinstance(error, BrokenAnswer)
        assert "a line is longer" in str(error)


@pytest.mark.parametrize(
    "config", [{"command": "/no/such"}, {"command": "true", "cwd": "/no/such"}]
)
async def test_a_program_that_is_not_there_is_misconfigured(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    async with agent_of(manifest, tmp_path, config) as agent:
        error = await failure_of_turn(agent, asked())
        assert isinstance(error, Misconfigured)
        assert "/no/such: No such file" in str(error)


@pytest.mark.parametrize(
    ("script", "seconds", "words"),
    [
        (
            "trap 'echo bye >bye; exit 0' TERM; echo $$ >pid; echo up; sleep 3600 & wait",
            20,
            "bye\n",
        ),
        ("trap '' TERM; echo $$ >pid; echo up; while :; do sleep 0.1; done", 0.1, ""),
    ],
    ids=["asked to end", "made to end"],
)
async def test_a_turn_that_is_cancelled_ends_its_program(
    tmp_path: Path, script: str, seconds: float, words: str
) -> None:
    async with agent_of(manifest, tmp_path, sh(script, killAfterSeconds=seconds)) as agent:
        await cancelled_at_its_first_event(agent)
    assert not alive(int((tmp_path / "pid").read_text()))
    bye = tmp_path / "bye"
    assert (bye.read_text() if bye.exists() else "") == words


async def cancelled_at_its_first_event(agent: Any) -> None:
    begun = asyncio.Event()

    async def answer() -> None:
        async with aclosing(agent.turn(asked())) as events:
            async for _ in events:
                begun.set()

    task = asyncio.create_task(answer())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 6])
async def test_a_turn_that_is_cancelled_at_once_leaves_nothing(tmp_path: Path, turns: int) -> None:
    async with agent_of(manifest, tmp_path, sh("echo $$ >pid; sleep 3600")) as agent:
        task = asyncio.create_task(events_of(agent, asked()))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    pid = tmp_path / "pid"
    assert not (pid.exists() and pid.read_text() and alive(int(pid.read_text())))


async def test_what_it_says_on_stderr_is_logged_and_bounded(tmp_path: Path) -> None:
    script = "echo hidden >&2; head -c 100000 /dev/zero | tr '\\0' x | fold -w 1000 >&2"
    async with agent_of(manifest, tmp_path, sh(script)) as agent:
        await events_of(agent, asked())
        await until(lambda: any("more to stderr" in str(each) for each in agent.ctx.logged))
        assert 0 < agent.ctx.logged[-1]["lines"] <= 36
        assert agent.ctx.logged[0]["event"] == "hidden"
        assert agent.ctx.logged[0]["child"] == "sh"
        assert len(agent.ctx.logged) < 80


async def test_what_it_says_on_stderr_without_end_delays_no_turn(tmp_path: Path) -> None:
    script = "yes | head -c 100000000 >&2; echo why >&2; exit $(cat)"
    async with agent_of(manifest, tmp_path, sh(script)) as agent:
        assert (await events_of(agent, asked("0")))[-1] == Final()
        await until(lambda: agent.ctx.logged[-1].get("lines", 0) > 1_000_000)
        assert len(agent.ctx.logged) <= 1 + 1024
        with pytest.raises(BrokenAnswer, match="status 3: why"):
            await events_of(agent, asked("3"))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
