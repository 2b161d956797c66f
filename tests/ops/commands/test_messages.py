"""``trunkline messages forget``: what it asks, what it says, and when it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway

ANSWER: dict[str, Any] = {
    "messages": 12,
    "sends": 3,
    "runs": 5,
    "entries": 9,
    "sessions": 1,
    "givenUp": 0,
    "underWay": 0,
    "files": 2,
    "people": 1,
    "cleaned": True,
    "copies": 0,
}


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ({}, 0, "erased: 12 messages, 3 sends, 2 files, 1 approvals, 1 sessions, 9 entries"),
        ({"givenUp": 4}, 0, "4 messages that waited will not be sent"),
        ({"copies": 3}, 0, "3 copies of the journal hold it still"),
        ({"underWay": 1}, 1, "run it again when they are over"),
        ({"cleaned": False}, 1, "no room to rebuild the journal"),
    ],
)
async def test_it_says_what_was_erased_and_what_holds_it_still(
    state: Path, more: dict[str, Any], code: int, said: str
) -> None:
    async with fake_gateway(messages__forget=ANSWER | more) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        words = ["messages", "forget", "--sender", "ada", "--account", "irc:libera"]
        result = await trunkline(state, *words, *where)
    assert result.code == code
    assert said in result.out + result.err
    assert fake.asked[-1] == ("messages.forget", {"sender": "ada", "account": "irc:libera"})
