from __future__ import annotations

import pytest

from workers.channels.slack import app_id, manifest
from workers.plugin import Text


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"appToken": "xapp-1-A01-123-abc"}, "app A01"),
        ({"appToken": {"source": "env", "id": "X"}}, "app"),
        ({"appToken": "xapp-1-A01-123-abc", "apiRoot": "http://a:1"}, "app A01 at http://a:1"),
        ({}, "app"),
    ],
)
def test_an_app_is_described_without_its_secrets(fields: dict[str, object], line: str) -> None:
    assert manifest.describe(fields) == line


def test_without_both_tokens_it_is_not_configured() -> None:
    assert manifest.unconfigured({}) == "botToken, appToken not set"
    assert manifest.unconfigured({"botToken": "xoxb-1"}) == "appToken not set"


def test_what_slack_takes_is_declared() -> None:
    assert manifest.text == Text(4_000, "chars", 0, "mrkdwn")
    assert manifest.idempotent == 0
    assert (manifest.media.max_up, manifest.media.max_down) == (1_000_000_000, 100_000_000)
    assert manifest.media.receive
    assert not manifest.cursor


def test_a_token_of_another_kind_has_no_app() -> None:
    assert app_id("xoxb-1-A01-2") is None
    assert app_id("xapp-1") is None
