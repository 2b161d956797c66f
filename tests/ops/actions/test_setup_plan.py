"""What a setup asks, and the commands that carry it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.actions.setup_plan import (
    AGENTS,
    KEEP,
    SHOWN_AGENTS,
    SetupQuestion,
    existing_agents,
    plan,
    questions_of,
    read_choice,
    shown_command,
    undoing,
    wrong_answer,
)
from workers.registry import manifests

HIDDEN = Path("/hidden")
WAIT = ["wait", "irc:a", "--for", "running"]


def made(agent: str = KEEP, **more: Any) -> list[list[str]]:
    agent_fields = more.pop("agent_fields", {})
    agent_secrets = more.pop("agent_secrets", {})
    fields, secrets = {"nick": "bot"}, more.pop("secrets", {})
    return plan(
        "irc:a", fields, secrets, agent, agent_fields, agent_secrets, HIDDEN,
        running=True, **more,
    ).commands  # fmt: skip


def test_an_account_that_is_answered_as_others_are() -> None:
    assert made() == [["channels", "add", "irc:a", "nick=bot"], WAIT]


@pytest.mark.parametrize(
    ("agent", "more", "commands"),
    [
        ("none", {}, [["channels", "add", "irc:a", "nick=bot", "agent=none"]]),
        (
            "echo",
            {},
            [
                ["agents", "add", "main", "kind=echo"],
                ["channels", "add", "irc:a", "nick=bot", "agent=main"],
            ],
        ),
        (
            "command",
            {"agent_fields": {"command": "claude -p 'two words'"}, "agents": ["main"]},
            [
                [
                    "agents",
                    "add",
                    "main2",
                    "kind=command",
                    'command=["claude", "-p", "two words"]',
                ],
                ["channels", "add", "irc:a", "nick=bot", "agent=main2"],
            ],
        ),
    ],
)
def test_an_agent_of_its_own(agent: str, more: Any, commands: list[list[str]]) -> None:
    assert made(agent, **more) == [*commands, WAIT]


def test_no_secret_stands_in_a_command() -> None:
    found = plan(
        "telegram:a", {}, {"botToken": "hush"}, "openai", {"model": "m"}, {"apiKey": "hush2"},
        HIDDEN, running=False,
    )  # fmt: skip
    assert "hush" not in str(found.commands)
    assert found.secrets == {
        HIDDEN / "telegram.a.botToken": "hush",
        HIDDEN / "agent.main.apiKey": "hush2",
    }
    assert found.commands[0] == ["up", "--detach"]
    assert 'botToken={"source": "file", "id": "/hidden/telegram.a.botToken"}' in found.commands[2]


def test_each_channel_is_asked_for_what_it_needs() -> None:
    asked = {
        name: [(each.name, each.secret) for each in questions_of(found.manifest)]
        for name, found in manifests().items()
    }
    assert asked["telegram"] == [("botToken", True)]
    assert asked["slack"] == [("botToken", True), ("appToken", True)]
    assert asked["irc"] == [("server", False), ("nick", False)]
    assert asked["local"] == []


def test_each_agent_that_is_offered_can_be_asked_for() -> None:
    assert set(SHOWN_AGENTS) == {KEEP, *AGENTS}


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [("irc", "irc"), ("2", "telegram"), ("tele", "telegram"), ("", None), ("x", None),
     ("9", None), ("0", None), ("٢", None), ("I", "irc")],
)  # fmt: skip
def test_a_choice_is_typed_in_several_ways(typed: str, chosen: str | None) -> None:
    assert read_choice(typed, ["irc", "telegram"]) == chosen


@pytest.mark.parametrize(
    ("answer", "default", "wrong"),
    [("", None, "is needed"), ("", "", None), ("a\x1b", None, "must be one line of printable"),
     ("good", None, None), ("bad", None, "is bad")],
)  # fmt: skip
def test_an_answer_is_checked(answer: str, default: str | None, wrong: str | None) -> None:
    question = SetupQuestion("x", "x", default)
    found = wrong_answer(question, answer, lambda text: "is bad" if text == "bad" else None)
    assert found == wrong or str(found).startswith(str(wrong))


def test_commands_are_shown_as_they_are_typed_and_can_be_taken_back() -> None:
    command = ["channels", "add", "irc:a", "nick=two words"]
    assert (
        shown_command(command, ["--dev"]) == "trunkline --dev channels add irc:a 'nick=two words'"
    )
    assert undoing(command) == ["channels", "remove", "irc:a"]
    assert undoing(WAIT) is None
    assert undoing(["up", "--detach"]) is None


def test_agents_that_are_there_are_known() -> None:
    assert existing_agents({"agents": {"entries": {"a": {}}}}) == ["a"]
    assert existing_agents({"agents": {}}) == existing_agents({}) == []
