"""Traces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.translated import translated

URL = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"otel": {"enabled": True, "endpoint": URL}}, {"enabled": True, "endpoint": URL}),
        ({"enabled": True, "otel": {"enabled": True}}, {"enabled": True}),
        ({"enabled": False, "otel": {"enabled": True, "endpoint": URL}},
         {"enabled": False, "endpoint": URL}),
        ({"otel": {"enabled": True, "traces": False, "serviceName": "a"}}, {"serviceName": "a"}),
        ({"otel": {"enabled": True, "traces": True, "metrics": True, "logs": True}},
         {"enabled": True}),
        ({"otel": {"endpoint": f"{URL}/otlp/"}}, {"endpoint": f"{URL}/otlp/v1/traces"}),
        ({"otel": {"endpoint": f"{URL}/v1/traces"}}, {"endpoint": f"{URL}/v1/traces"}),
        ({"otel": {"endpoint": URL, "tracesEndpoint": "https://t.example/t"}},
         {"endpoint": "https://t.example/t"}),
        ({"otel": {"headers": {"authorization": "${KEY}", "x-team": "night"}}},
         {"headers": {"authorization": {"source": "env", "id": "KEY"}, "x-team": "night"}}),
        ({"otel": {"sampleRate": 0.5, "protocol": "http/protobuf", "flushIntervalMs": 5}},
         {"sampleRatio": 0.5, "protocol": "http/protobuf"}),
        ({"otel": {"protocol": "grpc", "captureContent": True, "headers": {}}}, None),
        ({"flags": ["telegram.http"], "cacheTrace": {"enabled": True}}, None),
    ],
)  # fmt: skip
def test_traces_are_translated(theirs: Any, ours: Any) -> None:
    found = translated({"gateway": {"auth": {"token": "t"}}, "diagnostics": theirs}, {"KEY": "k"})
    assert found.config["gateway"].get("telemetry") == ours
    noted = [*found.taken, *found.changed, *found.left]
    expected = sorted(paths(theirs, "diagnostics"))
    assert sorted(each for each in noted if each.startswith("diagnostics")) == expected


def paths(value: Any, path: str) -> list[str]:
    """Return the places that must be noted, each once."""
    if not isinstance(value, dict) or not value or path.endswith("cacheTrace"):
        return [path]
    return [each for name in value for each in paths(value[name], f"{path}.{name}")]


def test_what_does_not_come_along_says_why() -> None:
    theirs = {"otel": {"logs": True, "captureContent": True, "traces": False, "enabled": True}}
    found = translated({"gateway": {"auth": {"token": "t"}}, "diagnostics": theirs})
    assert found.left == {
        "diagnostics.otel.logs": "Trunkline's logs are files",
        "diagnostics.otel.captureContent": "no text of a message is ever in a trace here",
        "diagnostics.otel.traces": "traces are off, and so is telemetry",
        "diagnostics.otel.enabled": "its traces are off, and nothing else is sent here",
    }
