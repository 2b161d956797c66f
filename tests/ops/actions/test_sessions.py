"""Whole sessions, read page by page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ops.actions import sessions
from ops.actions.sessions import read_session
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError
from tests.support.fakeserver import fake_gateway

KEY = "agent:main:x"


def history(params: dict[str, Any]) -> dict[str, Any]:
    """Answer as a gateway whose session has seven entries."""
    last = 7 - params["offset"]
    numbers = range(max(0, last - params["limit"]), last)
    rows = [{"role": "user", "content": str(each), "__openclaw": {"id": each}} for each in numbers]
    reached = params["offset"] + len(rows)
    more = {"nextOffset": reached} if reached < 7 else {}
    return {"sessionKey": params["sessionKey"], "messages": rows, "hasMore": bool(more)} | more


@pytest.mark.parametrize(
    ("limit", "texts"), [(None, "0123456"), (5, "23456"), (3, "456"), (9, "0123456")]
)
async def test_a_transcript_is_read_completely_or_only_its_newest_entries(
    limit: int | None, texts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PAGE", 3)
    methods: dict[str, Any] = {
        "sessions.resolve": {"ok": True, "key": KEY},
        "chat.history": history,
    }
    async with fake_gateway(**methods) as fake:
        target = RuntimeTarget({}, fake.url, "secret")
        page = await asyncio.to_thread(read_session, target, "x", limit)
    assert "".join(each["content"] for each in page["messages"]) == texts
    assert page["sessionKey"] == KEY


async def test_a_session_that_there_is_not_is_an_error(state: Path) -> None:
    methods: dict[str, Any] = {"sessions.resolve": {"ok": False}}
    async with fake_gateway(**methods) as fake:
        target = RuntimeTarget({}, fake.url, "secret")
        with pytest.raises(OperatorError, match="sessions list"):
            await asyncio.to_thread(read_session, target, "x")
