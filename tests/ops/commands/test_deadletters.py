"""``trunkline deadletters …``: what it asks, and what it shows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import trunkline
from tests.support.fakeserver import Refusal, fake_gateway

LETTER = {
    "id": "abc123",
    "account": "irc:libera",
    "chat": "#room",
    "state": "unknown",
    "error": "the account has died",
    "attempts": 2,
    "text": "are you\nthere?",
}


async def test_the_list_shows_where_and_why(state: Path) -> None:
    at = int((time.time() - 3 * 3600) * 1000)
    answers: dict[str, Any] = {"deadletters.list": {"letters": [LETTER | {"at": at}], "count": 1}}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        words = ["deadletters", "list", "--account", "irc:libera", "--limit", "5"]
        result = await trunkline(state, *words, *where)
    assert result.code == 0
    assert fake.asked[-1] == ("deadletters.list", {"limit": 5, "account": "irc:libera"})
    for word in ("abc123", "#room", "unknown", " 3h ", "are you there?", "the account has died"):
        assert word in result.out


@pytest.mark.parametrize(
    ("verb", "said"), [("retry", "queued"), ("discard", "discarded"), ("show", "abc123")]
)
async def test_one_letter_is_named_by_its_id(verb: str, said: str, state: Path) -> None:
    answers: dict[str, Any] = {f"deadletters.{verb}": LETTER}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "deadletters", verb, "abc123", *where)
    assert result.code == 0
    assert said in result.out
    assert fake.asked[-1] == (f"deadletters.{verb}", {"id": "abc123"})


async def test_an_unknown_letter_is_an_error(state: Path) -> None:
    answers: dict[str, Any] = {
        "deadletters.retry": Refusal("INVALID_REQUEST", "no dead letter abc123")
    }
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "deadletters", "retry", "abc123", *where)
    assert result.code != 0
    assert "no dead letter abc123" in result.err
