"""Whose gateway it is, and where its traces may go."""

from __future__ import annotations

import msgspec
import pytest

from runtime.config.gateway_model import GatewayConfig, TelemetryConfig
from runtime.config.places import DEFAULT_PORT


def test_a_gateway_with_a_command_or_a_url_is_foreign() -> None:
    assert not GatewayConfig().foreign
    assert GatewayConfig(command=["openclaw"]).foreign
    assert GatewayConfig(url="ws://x").foreign
    assert GatewayConfig().port == DEFAULT_PORT


@pytest.mark.parametrize(
    "endpoint", ["https://[::1", "http://127.0.0.1:99999", "http://host:1?key=x", "http://a..b"]
)
def test_an_endpoint_that_no_exporter_can_reach_is_refused(endpoint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="endpoint must"):
        msgspec.convert({"endpoint": endpoint}, TelemetryConfig)


def test_an_endpoint_may_have_a_path() -> None:
    at = "https://[::1]:4318/otlp/v1/traces"
    assert msgspec.convert({"endpoint": at}, TelemetryConfig).endpoint == at
