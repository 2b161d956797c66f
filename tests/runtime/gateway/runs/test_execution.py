"""What is carried out of the life of a run, with an agent whose turns the test scripts."""

from __future__ import annotations

import time
from asyncio import TaskGroup, timeout
from pathlib import Path
from typing import Any

import pytest

from ipc.media import ABOUT, account_directory
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.runs import lifecycle
from tests.support.journals import KEY
from tests.support.outbox_life import OutboxLife
from tests.support.runs_life import KEY as AGENT_KEY
from tests.support.runs_life import error, final
from tests.support.until import until
from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, TurnOutcome
from workers.messages import Attachment

FIRST = f"run:{KEY}/1:1"


def later(turn: dict[str, Any]) -> TurnOutcome | None:
    """Leave a turn open."""
    return None


def texts(life: OutboxLife) -> list[str]:
    """Return what the worker was to send."""
    return [call["message"]["text"] for call in life.calls if call.get("begin", True)]


async def asked(life: OutboxLife, *, text: str = "hello") -> str:
    """Have one message come whose turn stays open; return the name of its turn."""
    life.agent.script = later
    life.welcome()
    await life.hears(1, text=text)
    await until(lambda: life.agent.turns)
    return life.agent.names[-1]


async def test_a_message_becomes_a_turn_and_its_end_the_answer() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.welcome()
        await life.hears(1, text="hello")
        await until(lambda: life.agents.answered)
        ((name, turn),) = life.agent.turns
        assert (name, turn["text"], turn["agent"]) == (f"1:{KEY}/1:1", "hello", "echo")
        assert turn["account"] == KEY
        assert (life.sent, texts(life)) == ([FIRST], ["echo: hello"])
        assert life.agent.acknowledged == [(name, 1)]
        run = await journal.run_of(f"{KEY}/1:1")
        assert run is not None
        assert (run.state, run.answer, run.incarnation) == ("final", "echo: hello", 1)


async def test_files_go_to_the_agent_and_come_back_with_its_answer(tmp_path: Path) -> None:
    came, made, gone = ("1" * 32, "2" * 32, "3" * 32)
    for key, name in ((KEY, came), (AGENT_KEY, made)):
        store = account_directory(tmp_path, key)
        store.mkdir(parents=True)
        (store / name).write_bytes(b"x")
        (store / (name + ABOUT)).write_text("{}")
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo", state_dir=tmp_path, kind="http")
        files = [Attachment(f"media:{made}"), Attachment(f"media:{gone}")]
        life.agent.script = lambda turn: TurnOutcome("final", Final("see", attachments=files))
        life.welcome()
        await life.hears(1, attachments=[{"url": f"media:{came}"}, {"url": f"media:{gone}"}])
        await until(lambda: life.agents.answered)
        ((_, turn),) = life.agent.turns
        assert [each.get("url") for each in turn["attachments"]] == [f"media:{came}", ""]
        assert (account_directory(tmp_path, AGENT_KEY) / came).exists()
        (call,) = life.calls
        assert [each["url"] for each in call["message"]["attachments"]] == [f"media:{made}"]
        assert (account_directory(tmp_path, KEY) / made).exists()


async def test_calls_of_tools_are_part_of_the_conversation() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        name = await asked(life)
        one, two = ToolCall("1", "clock", {"zone": "Rome"}), ToolCall("2", "ask")
        life.agent.yields(name, one, ToolResult("1", "09:30"), two, Delta("Half past nine."))
        life.agent.ends(name, final("Half past nine."))
        await until(lambda: life.agents.answered)
        life.end()
        again = OutboxLife(tasks, journal, agent="echo")
        again.welcome()
        await again.hears(2)
        await until(lambda: again.agent.turns)
        history = again.agent.turns[-1][1]["history"]
    assert [(each["role"], each["text"], each.get("call")) for each in history] == [
        ("user", "hello", None),
        ("assistant", "", None),
        ("tool", "09:30", "1"),
        ("assistant", "Half past nine.", None),
    ]
    assert [[call["id"] for call in each.get("calls", [])] for each in history] == [
        [],
        ["1"],
        [],
        ["2"],
    ]


async def test_the_next_turn_of_a_session_knows_what_was_said_before() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        first.welcome()
        await first.hears(1, text="one")
        await until(lambda: first.agents.answered == 1)
        await first.hears(2, text="two")
        await until(lambda: first.agents.answered == 2)
        first.end()
        second = OutboxLife(tasks, journal, agent="echo")
        second.welcome()
        await second.hears(3, text="three")
        await until(lambda: second.agents.answered == 1)
        said = [(each["role"], each["text"]) for each in second.agent.turns[-1][1]["history"]]
    assert said == [
        ("user", "one"),
        ("assistant", "echo: one"),
        ("user", "two"),
        ("assistant", "echo: two"),
    ]


@pytest.mark.parametrize("seen", [False, True])
async def test_an_agent_that_dies_gets_the_turn_again_unless_something_of_it_was_seen(
    seen: bool,
) -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        turn = await asked(life)
        if seen:
            life.agent.yields(turn, Delta("Well, "))
            await until(lambda: life.agent.acknowledged)
        life.agent.dies()
        life.agent.script = lambda asked: final("again")
        life.agent.comes(2)
        await until(lambda: life.agents.answered)
        told = "The agent ended unexpectedly while it answered. Please try again."
        assert texts(life) == [told if seen else "again"]
        assert len(life.agent.turns) == (1 if seen else 2)
        assert len(set(life.agent.names)) == len(life.agent.turns)


async def test_a_killed_gateway_knows_whether_something_of_the_turn_was_seen() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, agent="echo")
        turn = await asked(first)
        first.agent.yields(turn, ToolCall("1", "shell"))
        await until(lambda: first.agent.acknowledged)
        first.end()
        second = OutboxLife(tasks, journal, agent="echo")
        second.agent.comes(2)
        second.welcome()
        await until(lambda: second.agents.answered)
        assert texts(second) == [
            "The agent ended unexpectedly while it answered. Please try again."
        ]
        assert second.agent.turns == []


async def test_notices_alone_are_acknowledged_and_count_as_nothing_seen() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        turn = await asked(life)
        life.agent.yields(turn, Notice("thinking"))
        assert life.agent.acknowledged == [(turn, 1)]
        life.agent.dies()
        life.agent.script = lambda asked: final("again")
        life.agent.comes(2)
        await until(lambda: life.agents.answered)
        assert texts(life) == ["again"]


async def test_an_error_is_one_sentence_and_never_the_provider_s_words() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        life.agent.script = lambda turn: error("needs_login")
        life.welcome()
        await life.hears(1)
        await until(lambda: life.agents.answered)
        (text,) = texts(life)
        assert "why" not in text
        assert life.failed == {"error": 1}


async def test_a_transient_error_is_tried_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "AGAIN_MS", 1)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        life.agent.script = lambda turn: error("transient")
        life.welcome()
        await life.hears(1)
        await until(lambda: life.agents.answered)
        first, second = life.agent.names
        assert first == f"1:{KEY}/1:1" != second
        assert len(texts(life)) == 1
        await until(lambda: len(life.agent.acknowledged) == 2)


async def test_an_agent_that_is_held_is_no_reason_to_wait() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        life.agent.here = 0
        life.agent.report(1, "stopped", wanted=False)
        life.welcome()
        await life.hears(1)
        await until(lambda: life.agents.answered)
        assert texts(life) == ["The agent is not running at the moment. Please try again later."]


async def test_a_clock_that_is_set_back_does_not_prolong_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "GRACE_MS", 1)
    steady, ahead = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: steady() + ahead)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        entries = {"echo": {"kind": "echo", "timeoutSeconds": 0.1}}
        life.agents.configure({"default": "echo", "entries": entries})
        await asked(life)
        ahead = -3600.0
        async with timeout(5):
            await until(lambda: life.agents.answered)
        assert texts(life) == ["The answer took too long and was given up. Please try again."]
        await life.rests()


async def test_the_gateway_ends_a_turn_that_does_not_end_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, "GRACE_MS", 1)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), agent="echo")
        entries = {"echo": {"kind": "echo", "timeoutSeconds": 0.01}}
        life.agents.configure({"default": "echo", "entries": entries})
        turn = await asked(life)
        await until(lambda: life.agents.answered)
        assert texts(life) == ["The answer took too long and was given up. Please try again."]
        assert life.agent.cancelled == [f"{KEY}/1:1"]
        life.agent.ends(turn, final("late"))
        await life.rests()
        assert (len(texts(life)), life.agent.acknowledged) == (1, [(turn, 1)])
