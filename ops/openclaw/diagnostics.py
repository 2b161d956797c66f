"""Translates the traces of a configuration of OpenClaw. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ops.openclaw.draft import Draft, FieldPlace
from ops.openclaw.rules import Rules, at, carry, left, same, so_anyway, words
from ops.openclaw.secret_values import take_secret
from runtime.config.check import join

TELEMETRY = ("gateway", "telemetry")
TRACES = "/v1/traces"  # OpenClaw adds it to an endpoint, whatever its path
METRICS = "Trunkline's metrics are at /metrics, for Prometheus"
LOGS = "Trunkline's logs are files"


def carry_diagnostics(draft: Draft, fields: Any) -> None:
    """Translate ``diagnostics``: of it traces come along, as ``gateway.telemetry``."""
    off = isinstance(fields, Mapping) and fields.get("enabled") is False

    def otel(draft: Draft, place: FieldPlace, value: Any) -> None:
        carry(draft, place.path, TELEMETRY, value, _rules(value, off=off))

    rules: Rules = {"otel": otel, "enabled": so_anyway(bool, "is about more than traces", "")}
    if off:
        rules = {**rules, "enabled": at(*TELEMETRY, "enabled")}
    carry(draft, "diagnostics", (), fields, rules, "it is about finding faults of OpenClaw")


def _rules(otel: Any, *, off: bool) -> Rules:
    fields = otel if isinstance(otel, Mapping) else {}
    traced = fields.get("traces") is not False
    rules: Rules = {
        "enabled": same(),
        "traces": so_anyway(
            bool, "is on where telemetry is", "traces are off, and so is telemetry"
        ),
        "endpoint": _endpoint,
        "tracesEndpoint": same("endpoint"),
        "protocol": words({"http/protobuf": "http/protobuf"}, ""),
        "headers": _headers,
        "serviceName": same(),
        "sampleRate": same("sampleRatio"),
        "captureContent": so_anyway(
            lambda value: value is False,
            "no text of a message is ever in a trace",
            "no text of a message is ever in a trace here",
        ),
        "flushIntervalMs": left("traces are sent once a second"),
        "metrics": left(METRICS),
        "metricsEndpoint": left(METRICS),
        "metricNamePrefix": left(METRICS),
        "logs": left(LOGS),
        "logsEndpoint": left(LOGS),
        "logsExporter": left(LOGS),
    }
    if "tracesEndpoint" in fields:
        rules = {**rules, "endpoint": left("tracesEndpoint counts first, and the rest is not sent")}
    if off:
        rules = {**rules, "enabled": left("diagnostics.enabled is false, and counts first")}
    elif not traced:
        rules = {**rules, "enabled": left("its traces are off, and nothing else is sent here")}
    return rules


def _endpoint(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Take an endpoint: one with a path is whole here."""
    target = (*TELEMETRY, "endpoint")
    if isinstance(value, str) and "${" not in value and urlsplit(value).path not in ("", "/"):
        whole = value if value.rstrip("/").endswith(TRACES) else f"{value.rstrip('/')}{TRACES}"
        if whole != value:
            draft.change(place.path, target, whole, "with the path that OpenClaw adds to it")
            return
    draft.take(place.path, target, value)


def _headers(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Take headers; each may hold a secret."""
    if not isinstance(value, Mapping) or not value:
        draft.leave(place.path, "is empty" if value == {} else "is not an object")
        return
    for name, each in value.items():
        inside = FieldPlace(join(place.path, name), (*TELEMETRY, "headers"), name)
        take_secret(draft, inside, (*TELEMETRY, "headers", name), each)
