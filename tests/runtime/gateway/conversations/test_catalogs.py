"""Models and commands, as clients choose from them."""

from __future__ import annotations

from runtime.gateway.accounts.agent_entries import AgentEntry
from runtime.gateway.conversations.catalogs import command_rows, model_in, models_of

ENTRIES = {
    "writer": AgentEntry("openai", label="gpt-x"),
    "echo": AgentEntry("echo"),
    "reader": AgentEntry("openai", name="The Reader", label="gpt-x"),
    "script": AgentEntry("command", name="Script"),
}


def test_each_model_is_listed_once_the_default_one_first() -> None:
    rows = models_of(ENTRIES, "reader", lambda agent: agent == "writer")
    assert [each["id"] for each in rows] == ["gpt-x", "echo", "script"]
    assert rows[0]["agents"] == ["reader", "writer"]
    assert [each["available"] for each in rows] == [True, False, False]
    assert [each.get("tags") for each in rows] == [["default"], None, None]
    assert [each["name"] for each in rows] == ["gpt-x", "echo", "Script"]
    assert {each["provider"] for each in rows} == {"trunkline"}
    assert [each["agentRuntime"]["id"] for each in rows] == ["openai", "echo", "command"]
    levels = [[level["id"] for level in each["thinkingLevels"]] for each in rows]
    assert levels == [["off", "minimal", "low", "medium", "high"], ["off"], ["off"]]


def test_a_model_without_an_agent_says_that_one_needs_a_login_says_so() -> None:
    reasons = [
        row.get("unavailableReason")
        for there in ((), ("writer",))
        for row in models_of(ENTRIES, "echo", there.__contains__, {"reader", "echo"}.__contains__)
        if row["id"] in ("gpt-x", "script")
    ]
    assert reasons == ["auth-failed", None, None, None]


def test_a_model_is_called_with_and_without_our_name() -> None:
    assert model_in("trunkline/gpt-x") == model_in("gpt-x") == "gpt-x"
    assert model_in("other/gpt-x") == "other/gpt-x"


def test_commands_are_those_that_people_have() -> None:
    rows = {each["name"]: each for each in command_rows()}
    assert rows["queue"] == {
        "name": "queue",
        "nativeName": "queue",
        "textAliases": ["/queue"],
        "description": "Show or set what becomes of waiting messages.",
        "category": "options",
        "source": "native",
        "scope": "both",
        "acceptsArgs": True,
    }
    assert rows["stop"]["acceptsArgs"] is False
