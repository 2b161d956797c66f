"""What ``channels why`` asks the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway

CASE = {
    "verified": True,
    "addressed": True,
    "outcome": "run",
    "text": "the sender is listed",
    "configured": "channels.irc.allowFrom",
}
FOUND: dict[str, Any] = {"account": "irc:libera", "senderId": "ada", "chat": None, "cases": [CASE]}
ANSWERS: dict[str, Any] = {"channels.why": FOUND}
WHO = {"channel": "irc", "accountId": "libera", "senderId": "ada"}


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ([], {}),
        (["--thread", "5"], {"thread": "5"}),
        (["--chat", "-1001", "--thread", "5"], {"chat": "-1001", "thread": "5"}),
        (["--chat", "#a"], {"chat": "#a"}),
        (
            ["--chat", "9", "--guild", "7", "--role", "1", "--role", "2"],
            {"chat": "9", "guild": "7", "roles": ["1", "2"]},
        ),
    ],
)
async def test_why_asks_about_one_sender(
    options: list[str], more: dict[str, Any], state: Path
) -> None:
    async with fake_gateway(**ANSWERS) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "channels", "why", "irc:libera", "ada", *options, *where)
    assert result.code == 0, result.err
    assert fake.asked[-1] == ("channels.why", WHO | more)
    assert "channels.irc.allowFrom" in result.out


@pytest.mark.parametrize(
    ("words", "said"),
    [(["libera", "ada"], "is not an account"), (["irc:libera", "ada", "--role", "x"], "--chat")],
)
async def test_what_cannot_be_meant_is_a_usage_error(
    words: list[str], said: str, state: Path
) -> None:
    result = await trunkline(state, "channels", "why", *words)
    assert result.code == 2
    assert said in result.err
