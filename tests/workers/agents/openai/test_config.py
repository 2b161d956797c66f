from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.agents.openai import manifest
from workers.agents.openai.config import OpenAIConfig


def made(**fields: Any) -> OpenAIConfig:
    return msgspec.convert({"model": "m"} | fields, OpenAIConfig)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"baseUrl": "localhost:11434"}, "baseUrl must begin with https"),
        ({"baseUrl": "https://ann:hunter2@a/v1"}, "baseUrl must not hold a user"),
        ({"apiKey": "hunter2\n"}, "apiKey must be printable ASCII"),
        ({"apiKey": "hunter2 x"}, "apiKey must be printable ASCII"),
        ({"apiKey": "hünter2"}, "apiKey must be printable ASCII"),
        ({"apiKey": ""}, "length >= 1"),
        ({"model": ""}, "length >= 1"),
        ({"temperature": 2.1}, "<= 2"),
        ({"maxTokens": 0}, ">= 1"),
        ({"historyMessages": -1}, ">= 0"),
        ({"maxTokensField": "tokens"}, "Invalid enum"),
        ({"strange": 1}, "unknown field"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why) as caught:
        made(**fields)
    assert "hunter2" not in str(caught.value)


def test_the_field_of_the_limit_follows_the_endpoint() -> None:
    assert made().limit_field == "max_completion_tokens"
    assert made(baseUrl="http://127.0.0.1:1/v1").limit_field == "max_tokens"
    assert made(maxTokensField="max_tokens").limit_field == "max_tokens"


def test_an_agent_is_called_by_its_model_and_an_endpoint_of_its_own() -> None:
    assert manifest.unconfigured({}) == "model not set"
    assert manifest.describe({"model": "m"}) == "m"
    assert manifest.describe({"model": "m", "baseUrl": "http://a/v1"}) == "m at http://a/v1"
    made(**manifest.example)
