from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.channels.telegram.config import TelegramConfig, bot_id


def test_a_wrong_server_is_refused_with_an_example() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"apiRoot .*user.*api\.telegram\.org"):
        msgspec.convert({"botToken": "1:a", "apiRoot": "https://u:p@a"}, TelegramConfig)


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
