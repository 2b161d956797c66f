"""What a setup asks, and the commands that carry it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.actions.setup_plan import (
    AGENTS,
    KEEP,
    SHOWN_AGENTS,
    Answers,
    SetupQuestion,
    existing_agents,
    form_check,
    is_restart,
    plan,
    plan_replacement,
    questions_of,
    read_choice,
    secrets_again,
    shown_command,
    undoing,
    wrong_answer,
)
from ops.exits import OperatorError
from workers.registry import manifests

HIDDEN = Path("/hidden")
WAIT = ["wait", "irc:a", "--for", "running"]


def made(agent: str = KEEP, **more: Any) -> list[list[str]]:
    of_agent = Answers(more.pop("agent_fields", {}))
    login = Answers({"nick": "bot"})
    return plan("irc:a", login, agent, of_agent, HIDDEN, running=True, **more).commands


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
def test_the_chosen_agent_is_added(agent: str, more: Any, commands: list[list[str]]) -> None:
    assert made(agent, **more) == [*commands, WAIT]


def test_no_secret_stands_in_a_command() -> None:
    login = Answers({}, {"botToken": "hush"})
    of_agent = Answers({"model": "m"}, {"apiKey": "hush2"})
    found = plan("telegram:a", login, "openai", of_agent, HIDDEN, running=False)
    assert "hush" not in f"{found.commands} {login} {of_agent}"
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


# A mistake that people make, and what they are told; what is right has no answer.
FORMS = [
    ("telegram", "botToken", "123456789:AAF2x-y_z", None),
    ("telegram", "botToken", "@my_bot", "is not a bot token: @BotFather"),
    ("telegram", "botToken", "123456789", "is not a bot token"),
    ("telegram", "botToken", "123456789:AAF2 x", "is not a bot token"),
    ("discord", "token", "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs", None),
    ("discord", "token", "198622483471925248", "is not a bot token: one has three parts"),
    ("discord", "token", "Bot MTk4.Cl2.Zn", "is not a bot token"),
    ("slack", "botToken", "xoxb-1-2-abc", None),
    ("slack", "botToken", "xoxe.xoxb-1-abc", None),
    ("slack", "botToken", "xapp-1-A1-2-abc", "is not a bot token: find xoxb-…"),
    ("slack", "botToken", "xoxp-1-2-abc", "is not a bot token"),
    ("slack", "appToken", "xapp-1-A1-2-abc", None),
    ("slack", "appToken", "xoxb-1-2-abc", "is not an app-level token"),
    ("webhook", "secret", "whsec_aHVzaC1odXNoLWh1c2gtaHVzaC1odXNoLWh1c2g=", None),
    ("webhook", "secret", "hush", "must"),
    ("irc", "password", "anything", None),
]


@pytest.mark.parametrize(("channel", "name", "typed", "wrong"), FORMS)
def test_the_form_of_a_secret_is_known(
    channel: str, name: str, typed: str, wrong: str | None
) -> None:
    manifest = manifests()[channel].manifest
    check = form_check(SetupQuestion(name, name, secret=True), manifest.wrong_secret)
    found = check(typed)
    assert (found is None) == (wrong is None)
    assert str(found).startswith(str(wrong))
    assert wrong is None or typed not in str(found)
    assert check("") is None
    assert form_check(SetupQuestion(name, name), manifest.wrong_secret)(typed) is None


def test_each_channel_that_setup_asks_for_a_secret_knows_its_form() -> None:
    for found in manifests().values():
        for question in questions_of(found.manifest):
            if question.secret:
                assert found.manifest.wrong_secret(question.name, "nonsense")


def test_secrets_that_a_setup_has_written_can_be_typed_again() -> None:
    slack = manifests()["slack"].manifest
    ours = {"source": "file", "id": "/hidden/slack.a.botToken"}
    theirs = {"source": "env", "id": "APP"}
    again, elsewhere = secrets_again(
        slack, "slack:a", {"botToken": ours, "appToken": theirs}, HIDDEN
    )
    assert [(each.name, each.secret, each.default) for each in again] == [("botToken", True, "")]
    assert elsewhere == ["appToken comes from env:APP: change it there"]
    with pytest.raises(OperatorError, match="is in the configuration: change it there"):
        secrets_again(slack, "slack:a", {"botToken": "xoxb-1", "appToken": theirs}, HIDDEN)


@pytest.mark.parametrize("running", [True, False])
def test_another_secret_takes_the_place_of_the_first(running: bool) -> None:
    made = plan_replacement("irc:a", {"password": "hush"}, HIDDEN, running=running)
    assert made.secrets == {HIDDEN / "irc.a.password": "hush"}
    first = ["channels", "restart", "irc:a"] if running else ["up", "--detach"]
    assert made.commands == [first, WAIT]
    assert is_restart(first) == running
