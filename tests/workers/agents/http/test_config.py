from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.workers.channels.webhook.peer import KEY, OTHER, OTHER_KEY, SECRET
from workers.agents.http import manifest
from workers.agents.http.config import HttpAgentConfig


def made(**fields: Any) -> HttpAgentConfig:
    return msgspec.convert({"secret": SECRET, "url": "https://a/b"} | fields, HttpAgentConfig)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"secret": "hunter2"}, "secret must be whsec_"),
        ({"previousSecret": "hunter2"}, "previousSecret must be whsec_"),
        ({"url": "https://ann:hunter2@a/"}, "url must not hold a user"),
        ({"url": "http://127.0.0.1/"}, "needs allowPrivate: true"),
        ({"silentSeconds": 0}, ">= 0.1"),
        ({"strange": 1}, "unknown field"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why) as caught:
        made(**fields)
    assert "hunter2" not in str(caught.value)


def test_both_secrets_sign_a_turn() -> None:
    assert made(previousSecret=OTHER).keys == [KEY, OTHER_KEY]


def test_an_agent_is_called_by_its_host() -> None:
    assert manifest.describe({"url": "https://example.com/x?token=hunter2"}) == "at example.com"
    assert manifest.describe({"url": "http://[::1/"}) == ""
    assert manifest.describe({}) == ""
    assert manifest.unconfigured({}) == "url, secret not set"
