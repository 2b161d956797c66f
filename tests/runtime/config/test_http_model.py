"""The HTTP endpoints are off until they are switched on, as in the real one."""

from __future__ import annotations

import msgspec
import pytest

from runtime.config.http_model import HttpConfig, ToolsConfig


def test_the_defaults_are_those_of_the_real_one() -> None:
    config = HttpConfig()
    assert not config.endpoints.chat_completions.enabled
    assert not config.endpoints.responses.enabled
    assert ToolsConfig() == ToolsConfig(allow=[], deny=[])


def test_the_names_are_those_of_openclaw_and_others_are_refused() -> None:
    given = {"endpoints": {"chatCompletions": {"enabled": True}}, "maxBodyBytes": 1}
    assert msgspec.convert(given, HttpConfig).endpoints.chat_completions.enabled
    with pytest.raises(msgspec.ValidationError, match="embeddings"):
        msgspec.convert({"endpoints": {"embeddings": {"enabled": True}}}, HttpConfig)
