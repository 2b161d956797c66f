"""Requests to ``/tools/invoke``, against what was recorded of OpenClaw."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.nesting import MAX_DEPTH
from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.tool_requests import (
    DENIED,
    ToolPolicy,
    ToolRequest,
    read_tool_request,
    tool_refusal,
    tool_result,
)


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"tool": "x"}, ToolRequest("x", "agent:main:main", "main")),
        ({"tool": "x", "agentId": "ops"}, ToolRequest("x", "agent:ops:main", "ops")),
        ({"tool": "x", "sessionKey": "a"}, ToolRequest("x", "agent:main:a", "main")),
        (
            {"name": "y", "tool": "x", "action": "json", "sessionKey": "agent:nobody:main"},
            ToolRequest("y", "agent:nobody:main", "nobody", {"action": "json"}),
        ),
        ({"tool": "x", "args": "str"}, ToolRequest("x", "agent:main:main", "main")),
        (
            {"tool": "x", "args": {"action": "a"}, "action": "b", "dryRun": True},
            ToolRequest("x", "agent:main:main", "main", {"action": "a"}, dry=True),
        ),
        (
            {"tool": "x", "args": {"dryRun": True}},
            ToolRequest("x", "agent:main:main", "main", {}, dry=True),
        ),
    ],
)
def test_a_request(body: dict[str, Any], asked: ToolRequest) -> None:
    assert read_tool_request(body, "main") == asked


@pytest.mark.parametrize(
    ("body", "owner", "words"),
    [
        ({}, "main", "tools.invoke requires name"),
        ([], "main", "tools.invoke requires name"),
        ({"tool": 7}, "main", "tools.invoke requires name"),
        (
            {"tool": "x"},
            None,
            'Multiple agents are configured, but session key "main" has no explicit owner.',
        ),
        (
            {"tool": "x", "agentId": "ops", "sessionKey": "agent:main:main"},
            "main",
            'agent "ops" does not match session key agent "main"',
        ),
        ({"tool": "x", "sessionKey": "a b"}, "main", "the session key has white space"),
        ({"tool": "x", "sessionKey": "agent:../x:main"}, "main", "the session is one of an imp"),
    ],
)
def test_what_is_wrong(body: Any, owner: str | None, words: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        read_tool_request(body, owner)
    assert (refused.value.status, refused.value.type) == (400, "invalid_request")
    assert refused.value.message.startswith(words)


@pytest.mark.parametrize(
    ("name", "allow", "deny", "there"),
    [
        ("message", [], [], True),
        ("nodes", [], [], False),
        ("nodes", ["nodes"], [], True),
        ("nodes", ["nodes"], ["nodes"], False),
        ("message", [], ["message"], False),
        ("exec", [], [], False),
        ("exec", ["exec"], [], False),  # nothing here carries it out
        ("nope", ["nope"], [], False),
    ],
)
def test_the_tools_that_there_are(
    name: str, allow: list[str], deny: list[str], there: bool
) -> None:
    policy = ToolPolicy(["message", "nodes"], allow, deny)
    if there:
        policy.require(name)
        return
    with pytest.raises(HttpRefusal) as refused:
        policy.require(name)
    assert refused.value.status == 404
    assert tool_refusal(refused.value) == {
        "ok": False,
        "error": {"type": "not_found", "message": f"Tool not available: {name}"},
    }


def test_what_is_denied_without_any_configuration_is_what_the_real_one_denies() -> None:
    assert {"exec", "gateway", "cron", "nodes", "sessions_send"} < DENIED


def test_a_refusal_has_the_details_of_its_error() -> None:
    refusal = HttpRefusal(502, "gone", "tool_error", details={"maybeExecuted": True})
    error = {"type": "tool_error", "message": "gone", "details": {"maybeExecuted": True}}
    assert tool_refusal(refusal) == {"ok": False, "error": error}


@pytest.mark.parametrize("depth", [1, MAX_DEPTH - 2])
def test_a_result_is_little_longer_than_its_details_however_deep_they_are(depth: int) -> None:
    details: Any = [1] * 500_000
    for _ in range(depth - 1):
        details = [details]
    text = tool_result(details)["result"]["content"][0]["text"]
    assert msgspec.json.decode(text) == details
    assert len(text) < 1.1 * len(msgspec.json.encode(details))


def test_a_result_is_the_details_and_the_same_as_text() -> None:
    assert tool_result({"a": [1]}) == {
        "ok": True,
        "result": {
            "content": [{"type": "text", "text": '{\n  "a": [\n    1\n  ]\n}'}],
            "details": {"a": [1]},
        },
    }
