"""``trunkline agent``: what is typed becomes which params."""

from __future__ import annotations

from typing import Any

import pytest

from ops.commands.agent import Question
from ops.exits import UsageFailure


@pytest.mark.parametrize(
    ("question", "params"),
    [
        (Question("x", agent="main"), {"agentId": "main", "deliver": False}),
        (Question("x", session="s", key="k"), {"sessionKey": "s", "idempotencyKey": "k"}),
        (Question("x", to="7", channel="irc"), {"to": "7", "channel": "irc"}),
        (
            Question("x", agent="a", deliver=True, reply_channel="irc", reply_to="7"),
            {"deliver": True, "replyChannel": "irc", "replyTo": "7"},
        ),
    ],
)
def test_what_is_typed_is_what_is_asked(question: Question, params: dict[str, Any]) -> None:
    asked = question.params(2.4)
    assert asked | params | {"message": "x", "timeout": 2} == asked
    assert len(asked["idempotencyKey"]) > 0


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question("x", agent="a", channel="irc"), "--to"),
        (Question("x"), "--agent, --session or --to"),
        (Question("x", agent="a", deliver=True), "--reply-to"),
        (Question("x", agent="a", reply_channel="irc"), "--deliver"),
    ],
)
def test_what_is_missing_is_named(question: Question, said: str) -> None:
    with pytest.raises(UsageFailure, match=said):
        question.params(1)
