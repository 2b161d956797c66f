from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.channels.telegram.config import TelegramConfig, bot_id


@pytest.mark.parametrize(
    ("root", "about"),
    [
        ("api.telegram.org", "must begin with https"),
        ("ftp://a", "must begin with https"),
        ("https://", "must begin with https"),
        ("https://user:pw@a", "must not hold a user"),
        ("https://a?b=c", "without"),
        ("https://a b", "without"),
        ("https://a:0", "must begin"),
        ("https://a:x", "must be an address"),
    ],
)
def test_a_wrong_server_is_refused_with_an_example(root: str, about: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=f"apiRoot .*{about}.*api.telegram.org"):
        msgspec.convert({"botToken": "1:a", "apiRoot": root}, TelegramConfig)


@pytest.mark.parametrize("root", ["https://a", "http://127.0.0.1:8081", "http://[::1]:1/x"])
def test_other_servers_are_taken(root: str) -> None:
    assert msgspec.convert({"botToken": "1:a", "apiRoot": root}, TelegramConfig).api_root == root


@pytest.mark.parametrize(
    ("token", "number"),
    [
        ("123:ABC-def_9", "123"),
        ("123", None),
        ("abc:def", None),
        ("123:", None),
        ("123:a/../b", None),
        (None, None),
        ({"source": "env", "id": "X"}, None),
    ],
)
def test_the_number_of_a_bot_is_public(token: Any, number: str | None) -> None:
    assert bot_id(token) == number
