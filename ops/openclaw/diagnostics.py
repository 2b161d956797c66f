"""Translates the traces of a configuration of OpenClaw. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ops.openclaw.draft import Draft, FieldPlace
from ops.openclaw.rules import Rules, at, carry, fixed, omitted, same, words
from ops.openclaw.secret_values import copy_secret
from runtime.config.check import join

TELEMETRY = ("gateway", "telemetry")
TRACES = "/v1/traces"  # OpenClaw adds it to an endpoint, whatever its path
METRICS = "Trunkline's metrics are at /metrics, for Prometheus"
LOGS = "Trunkline's logs are files"


def carry_diagnostics(draft: Draft, fields: Any) -> None:
    """Translate the traces of ``diagnostics`` to ``gateway.telemetry``; report all other fields."""
    off = isinstance(fields, Mapping) and fields.get("enabled") is False

    def otel(draft: Draft, place: FieldPlace, value: Any) -> None:
        carry(draft, place.path, TELEMETRY, value, _rules(value, off=off))

    rules: Rules = {"otel": otel, "enabled": fixed(bool, "is about more than traces", "")}
    if off:
        rules = {**rules, "enabled": at(*TELEMETRY, "enabled")}
    carry(draft, "diagnostics", (), fields, rules, "it is about finding faults of OpenClaw")


def _rules(otel: Any, *, off: bool) -> Rules:
    fields = otel if isinstance(otel, Mapping) else {}
    traced = fields.get("traces") is not False
    rules: Rules = {
        "enabled": same(),
        "traces": fixed(bool, "is on where telemetry is", "traces are off, and so is telemetry"),
        "endpoint": _endpoint,
        "tracesEndpoint": same("endpoint"),
        "protocol": words({"http/protobuf": "http/protobuf"}, ""),
        "headers": _headers,
        "serviceName": same(),
        "sampleRate": same("sampleRatio"),
        "captureContent": fixed(
            lambda value: value is False,
            "no text of a message is ever in a trace",
            "no text of a message is ever in a trace here",
        ),
        "flushIntervalMs": omitted("traces are sent once a second"),
        "metrics": omitted(METRICS),
        "metricsEndpoint": omitted(METRICS),
        "metricNamePrefix": omitted(METRICS),
        "logs": omitted(LOGS),
        "logsEndpoint": omitted(LOGS),
        "logsExporter": omitted(LOGS),
    }
    if "tracesEndpoint" in fields:
        rules = {
            **rules,
            "endpoint": omitted("tracesEndpoint counts first, and the rest is not sent"),
        }
    if off:
        rules = {**rules, "enabled": omitted("diagnostics.enabled is false, and counts first")}
    elif not traced:
        rules = {**rules, "enabled": omitted("its traces are off, and nothing else is sent here")}
    return rules


def _endpoint(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Copy an endpoint; one that has a path gets the path that OpenClaw adds."""
    target = (*TELEMETRY, "endpoint")
    if isinstance(value, str) and "${" not in value and urlsplit(value).path not in ("", "/"):
        whole = value if value.rstrip("/").endswith(TRACES) else f"{value.rstrip('/')}{TRACES}"
        if whole != value:
            draft.change(place.path, target, whole, "with the path that OpenClaw adds to it")
            return
    draft.copy(place.path, target, value)


def _headers(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Copy headers; each may hold a secret."""
    if not isinstance(value, Mapping) or not value:
        draft.omit(place.path, "is empty" if value == {} else "is not an object")
        return
    for name, each in value.items():
        inside = FieldPlace(join(place.path, name), (*TELEMETRY, "headers"), name)
        copy_secret(draft, inside, (*TELEMETRY, "headers", name), each)
