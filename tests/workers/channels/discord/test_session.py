from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.channels.discord.objects import DiscordReady
from workers.channels.discord.session import BotSession, DiscordCursor, cursor_of

ROOT = "https://discord.com"
STORED = {"root": ROOT, "session": "s", "url": "wss://g", "seq": 5, "last": 9, "direct": ["1"]}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (STORED, DiscordCursor(ROOT, "s", "wss://g", 5, 9, ["1"])),
        (None, DiscordCursor(ROOT)),
        ("x", DiscordCursor(ROOT)),
        (STORED | {"seq": "5"}, DiscordCursor(ROOT)),
        (STORED | {"root": "https://elsewhere"}, DiscordCursor(ROOT)),
    ],
)
def test_only_a_position_at_this_server_counts(stored: Any, expected: DiscordCursor) -> None:
    assert cursor_of(stored, ROOT) == expected


def test_a_session_is_resumed_where_there_is_one() -> None:
    session = BotSession(cursor_of(STORED, ROOT))
    assert session.greeting("t") == {"op": 6, "d": {"token": "t", "session_id": "s", "seq": 5}}
    assert session.url == "wss://g"
    session.forget()
    assert (session.greeting("t")["op"], session.url) == (2, "")
    session.begin(DiscordReady("new", "wss://h"))
    session.seq = 1
    assert session.cursor(10, ["2"]) == DiscordCursor(ROOT, "new", "wss://h", 1, 10, ["2"])


@pytest.mark.parametrize(
    ("root", "url", "used"),
    [
        ("https://discord.com", "wss://g", True),
        ("https://discord.com", "ws://g", False),
        ("http://here", "ws://g", True),
        ("http://here", "wss://g", True),
        ("http://here", "http://g", False),
    ],
)
def test_the_token_is_not_sent_unencrypted(root: str, url: str, used: bool) -> None:
    session = BotSession(DiscordCursor(root, "s", url, 5))
    assert bool(session.url) is used


def test_a_position_is_json_and_short() -> None:
    numbers = [str(10**19 + each) for each in range(100)]
    cursor = DiscordCursor(ROOT, "s" * 32, "wss://gateway-us-east1-b.discord.gg", 5, 9, numbers)
    assert len(msgspec.json.encode(cursor)) < 3_000
