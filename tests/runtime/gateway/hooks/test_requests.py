"""What requests to hooks ask for, with the texts of OpenClaw's errors (recorded)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.hooks.requests import (
    MAX_BODY_BYTES,
    BadHook,
    HookAgent,
    HookRules,
    HookWake,
    agent_turn_of,
    read_body,
    wake_of,
)

RULES = HookRules(frozenset({"main", "ops"}), channels=("telegram",), accounts=("telegram:b",))


def refusal(function: Any, *args: Any) -> tuple[int, str]:
    with pytest.raises(BadHook) as refused:
        function(*args)
    assert json.loads(refused.value.body()) == {"ok": False, "error": refused.value.error}
    return refused.value.status, refused.value.error


@pytest.mark.parametrize(
    ("body", "wake"),
    [
        ({"text": "hello"}, HookWake("hello")),
        ({"text": " hello "}, HookWake(" hello ")),
        ({"text": "a", "agentId": " main "}, HookWake("a", agent="main")),
        ({"text": "a", "mode": "next-heartbeat"}, HookWake("a", "next-heartbeat")),
        ({"text": "a", "sessionKey": "hook:x"}, HookWake("a", session="hook:x")),
        ({"text": "a", "more": 1}, HookWake("a")),
    ],
)
def test_a_wake_is_read(body: dict[str, Any], wake: HookWake) -> None:
    assert wake_of(body, RULES) == wake


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "text required"),
        ({"text": "  "}, "text required"),
        ({"text": 5}, "text required"),
        ({"text": "w", "agentId": "nobody"}, 'unknown agentId "nobody"'),
        ({"text": "w", "agentId": 5}, "agentId must be a string"),
        ({"text": "w", "agentId": ""}, "agentId must be a string"),
        ({"text": "w", "mode": "bogus"}, "mode must be now|next-heartbeat"),
        ({"text": "w", "mode": []}, "mode must be now|next-heartbeat"),
    ],
)
def test_a_bad_wake_is_refused(body: dict[str, Any], error: str) -> None:
    assert refusal(wake_of, body, RULES) == (400, error)


@pytest.mark.parametrize(
    ("body", "turn"),
    [
        ({"message": "m"}, HookAgent("m")),
        (
            {
                "message": "m",
                "name": "T",
                "agentId": "ops",
                "sessionKey": "agent:ops:hook:a",
                "deliver": False,
                "channel": "telegram",
                "to": "777",
                "accountId": "b",
                "model": "x/y",
                "thinking": "low",
                "timeoutSeconds": 30,
                "waitForCompletion": True,
                "idempotencyKey": "k",
            },
            HookAgent(
                "m",
                name="T",
                agent="ops",
                session="agent:ops:hook:a",
                deliver=False,
                channel="telegram",
                to="777",
                account="b",
                model="x/y",
                thinking="low",
                timeout=30.0,
                wait=True,
                key="k",
            ),
        ),
        ({"message": "m", "channel": "last"}, HookAgent("m")),
        ({"message": "m", "name": " ", "to": ""}, HookAgent("m")),
    ],
)
def test_a_turn_is_read(body: dict[str, Any], turn: HookAgent) -> None:
    assert agent_turn_of(body, RULES) == turn


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "message required"),
        ({"message": ""}, "message required"),
        ({"message": "x", "agentId": "nobody"}, 'unknown agentId "nobody"'),
        (
            {"message": "x", "channel": "telegram"},
            "channel and to must be set together for hook delivery",
        ),
        ({"message": "x", "to": "1"}, "channel and to must be set together for hook delivery"),
        (
            {"message": "x", "channel": "last", "to": "1"},
            "channel and to must be set together for hook delivery",
        ),
        ({"message": "x", "channel": "nochan", "to": "1"}, "channel must be last|telegram"),
        ({"message": "x", "channel": "nochan"}, "channel must be last|telegram"),
        ({"message": "x", "accountId": "b"}, "accountId needs channel and to for hook delivery"),
        (
            {"message": "x", "channel": "telegram", "to": "1", "accountId": "c"},
            "unknown telegram account 'c'; known: b",
        ),
        (
            {"message": "x", "channel": "telegram", "to": "1", "accountId": "bb"},
            "unknown telegram account 'bb' (did you mean b?); known: b",
        ),
        (
            {"message": "x", "agentId": "main", "sessionKey": "agent:main:main"},
            "sessionKey must start with one of: hook:, agent:main:hook:",
        ),
        (
            {"message": "x", "agentId": "main", "sessionKey": "agent:ops:hook:a"},
            "sessionKey must start with one of: hook:, agent:main:hook:",
        ),
        (
            {"message": "x", "sessionKey": "agent:main:hook:a"},
            "sessionKey must start with one of: hook:",
        ),
        (
            {"message": "x", "sessionKey": "hook:\n"},
            None,  # blanks at the end are none of it
        ),
        (
            {"message": "x", "sessionKey": "hook:a\nb"},
            "sessionKey must be printable, of at most 512 characters",
        ),
        (
            {"message": "x", "sessionKey": "hook:" + "x" * 600},
            "sessionKey must be printable, of at most 512 characters",
        ),
        ({"message": "x", "model": ""}, "model required"),
        ({"message": "x", "deliver": "yes"}, "deliver must be a boolean"),
        ({"message": "x", "waitForCompletion": 1}, "waitForCompletion must be a boolean"),
        ({"message": "x", "thinking": 1}, "thinking must be a string"),
        ({"message": "x", "timeoutSeconds": 0}, None),
        ({"message": "x", "timeoutSeconds": True}, None),
        ({"message": "x", "timeoutSeconds": float("nan")}, None),
    ],
)
def test_a_bad_turn_is_refused(body: dict[str, Any], error: str | None) -> None:
    if body.get("sessionKey") == "hook:\n":
        assert agent_turn_of(body, RULES).session == "hook:"
        return
    status, said = refusal(agent_turn_of, body, RULES)
    expected = error or "timeoutSeconds must be a number above 0, of at most 86400"
    assert (status, said) == (400, expected)


def test_session_keys_of_requests_can_be_turned_off() -> None:
    rules = HookRules(frozenset(), request_keys=False)
    body = {"message": "x", "text": "x", "sessionKey": "hook:a"}
    text = "sessionKey is disabled for external hook payloads; "
    text += "set hooks.allowRequestSessionKey=true to enable"
    for function in (agent_turn_of, wake_of):
        assert refusal(function, body, rules) == (400, text)


def test_the_key_of_the_body_counts_before_the_header() -> None:
    assert agent_turn_of({"message": "m"}, RULES, "header").key == "header"
    assert agent_turn_of({"message": "m", "idempotencyKey": "body"}, RULES, "header").key == "body"
    assert agent_turn_of({"message": "m"}, RULES, "").key is None
    long = "idempotencyKey has more than 512 characters"
    assert refusal(agent_turn_of, {"message": "m"}, RULES, "k" * 513) == (400, long)


def test_what_is_just_within_its_bounds_is_taken() -> None:
    key = "hook:" + "x" * 507
    for seconds in (0.5, 1, 86_400):
        body = {"message": "m", "sessionKey": key, "timeoutSeconds": seconds}
        turn = agent_turn_of(body, RULES, "k" * 512)
        assert (turn.session, turn.timeout, turn.key) == (key, float(seconds), "k" * 512)
    assert refusal(agent_turn_of, body | {"timeoutSeconds": 86_401}, RULES)[0] == 400
    whole = b'{"a":"' + b"y" * (MAX_BODY_BYTES - 8) + b'"}'
    assert len(whole) == MAX_BODY_BYTES
    assert read_body(whole).keys() == {"a"}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", {}),
        (b" \n", {}),
        (b'{"a": 1}', {"a": 1}),
        (b"{bad", (400, "the body is no JSON")),
        (b"[" * 100_000, (400, "the body is no JSON")),
        (b"[]", (400, "the body is no JSON object")),
        (b"null", (400, "the body is no JSON object")),
        (b'"' + b"y" * MAX_BODY_BYTES + b'"', (413, "payload too large")),
    ],
)
def test_a_body_is_read(data: bytes, found: Any) -> None:
    got = read_body(data) if isinstance(found, dict) else refusal(read_body, data)
    assert got == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = "text message mode agentId sessionKey channel to model thinking name deliver accountId"
FIELDS = st.sampled_from([*NAMES.split(), "timeoutSeconds", "waitForCompletion", "idempotencyKey"])


@given(st.dictionaries(FIELDS, JSON, max_size=6))
def test_whatever_comes_is_read_or_refused(body: dict[str, Any]) -> None:
    statuses = {400}
    for function in (wake_of, agent_turn_of):
        try:
            made = function(body, RULES)
        except BadHook as refused:
            statuses.add(refused.status)
        else:
            assert made.session is None or made.session.startswith(("hook:", "agent:"))
            assert made.agent in (None, "main", "ops")
    assert statuses == {400}
