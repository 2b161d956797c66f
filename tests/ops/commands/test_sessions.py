"""``trunkline sessions …``: what it asks, and what it shows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.exits import ExitCode
from tests.ops.output.test_transcript import ROWS
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway

KEY = "agent:main:telegram:bot:direct:7"
RESOLVED = {"ok": True, "key": KEY}


async def test_the_list_shows_what_changed_last(state: Path) -> None:
    row = {
        "key": KEY,
        "classification": "direct",
        "label": "work",
        "messageCount": 12,
        "totalTokens": 345,
        "status": "done",
        "updatedAt": int((time.time() - 7200) * 1000),
    }
    listed = {"sessions": [row], "hasMore": True, "totalCount": 3}
    answers: dict[str, Any] = {"sessions.list": listed}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        words = ["sessions", "list", "--agent", "main", "--active", "9", "--limit", "1"]
        result = await trunkline(state, *words, *where)
    assert result.code == 0
    assert fake.asked[-1][1] == {"agentId": "main", "activeMinutes": 9, "limit": 1}
    for word in (KEY, "direct", "work", "12", "345", "2h"):
        assert word in result.out
    assert "2 more" in result.err


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["show", "x"], "Assistant: It is *late*."),
        (["export", "x"], f"# {KEY}\n\n## User (ada)"),
        (["export", "x", "--format", "jsonl"], '{"role":"user"'),
    ],
)
async def test_a_transcript_is_shown_or_written(
    words: list[str], shown: str, state: Path, tmp_path: Path
) -> None:
    answers: dict[str, Any] = {
        "sessions.resolve": RESOLVED,
        "chat.history": {"sessionKey": KEY, "messages": ROWS},
    }
    to = tmp_path / "transcript"
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "sessions", *words, *where)
        if words[0] == "export":
            saved = await trunkline(state, "sessions", *words, "--to", str(to), *where)
            assert "4 entries" in saved.out
            assert to.read_text() == result.out
            assert to.stat().st_mode & 0o077 == 0
    assert result.code == 0, result.err
    assert shown in result.out
    if "jsonl" in words:
        assert [msgspec.json.decode(each) for each in result.out.splitlines()] == ROWS


@pytest.mark.parametrize("verb", ["reset", "delete"])
async def test_a_session_is_changed_once_it_is_found(verb: str, state: Path) -> None:
    answers: dict[str, Any] = {"sessions.resolve": RESOLVED, f"sessions.{verb}": {"ok": True}}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        yes = ["--yes"] if verb == "delete" else []
        result = await trunkline(state, "sessions", verb, "x", *yes, *where)
    assert result.code == 0
    assert fake.asked[-1] == (f"sessions.{verb}", {"key": KEY})


async def test_a_session_is_not_deleted_without_a_confirmation(state: Path) -> None:
    answers: dict[str, Any] = {"sessions.resolve": RESOLVED}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "sessions", "delete", "x", *where)
    assert result.code == ExitCode.USAGE
    assert "--yes" in result.err
    assert [method for method, _ in fake.asked if method == "sessions.delete"] == []
