from __future__ import annotations

import pytest

from workers.channels.telegram import manifest
from workers.channels.telegram.config import DEFAULT_ROOT
from workers.plugin import Text


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"botToken": "123:secret"}, "bot 123"),
        ({"botToken": {"source": "env", "id": "X"}}, "bot"),
        ({"botToken": "123:secret", "apiRoot": DEFAULT_ROOT}, "bot 123"),
        ({"botToken": "123:secret", "apiRoot": "http://a:8081"}, "bot 123 at http://a:8081"),
        ({}, "bot"),
    ],
)
def test_a_bot_is_described_without_its_secret(fields: dict[str, object], line: str) -> None:
    assert manifest.describe(fields) == line


def test_without_a_token_it_is_not_configured() -> None:
    assert manifest.unconfigured({}) == "botToken not set"


def test_what_telegram_takes_is_declared() -> None:
    assert manifest.text == Text(4096, "utf16", 1024, "telegram-html")
    assert manifest.cursor
