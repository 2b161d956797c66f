"""A gateway that anybody could use does not start, nor one whose fields contradict each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.config.gateway_rules import (
    beside_foreign_problems,
    canvas_problem,
    exposure_problem,
    gateway_problems,
)
from runtime.config.load import load_text
from runtime.config.model import Config


@pytest.mark.parametrize(
    ("gateway", "path"),
    [
        ({}, "gateway.auth.token"),
        ({"auth": {"token": "t"}, "bind": "lan"}, None),
        ({"auth": {"mode": "password"}}, "gateway.auth.password"),
        ({"auth": {"mode": "password", "password": "p"}}, None),
        ({"auth": {"mode": "none"}}, None),
        ({"auth": {"mode": "none"}, "bind": "auto"}, None),
        ({"auth": {"mode": "none"}, "allowedOrigins": ["https://a"]}, None),
        (
            {"auth": {"mode": "none"}, "allowedOrigins": ["https://a", "*"]},
            "gateway.allowedOrigins",
        ),
        ({"auth": {"token": "t"}, "allowedOrigins": ["*"]}, None),
        ({"auth": {"mode": "none"}, "bind": "127.0.0.2"}, None),
        ({"auth": {"mode": "none"}, "bind": "::1"}, None),
        ({"auth": {"mode": "none"}, "bind": "lan"}, "gateway.bind"),
        ({"auth": {"mode": "none"}, "bind": "0.0.0.0"}, "gateway.bind"),
        ({"auth": {"mode": "none", "token": "t"}, "bind": "192.0.2.1"}, "gateway.bind"),
        ({"auth": {"mode": "trusted-proxy"}}, "gateway.trustedProxies"),
        ({"auth": {"mode": "trusted-proxy"}, "trustedProxies": ["10.0.0.0/8"]}, None),
    ],
)
def test_what_is_open_to_all_is_refused(gateway: dict[str, Any], path: str | None) -> None:
    config = load_text(Path("trunkline.json5"), json.dumps({"gateway": gateway})).config
    problem = exposure_problem(config.gateway)
    assert (problem.path if problem else None) == path


@pytest.mark.parametrize(
    ("gateway", "path"),
    [
        ({"bind": "nowhere"}, "gateway.bind"),
        ({"trustedProxies": ["10.0.0.0/8", "::1", "proxy"]}, "gateway.trustedProxies[2]"),
        ({"tls": {"enabled": True, "keyPath": "/k"}}, "gateway.tls.certPath"),
        ({"tls": {"enabled": True, "certPath": "/c"}}, "gateway.tls.keyPath"),
        ({"allowedOrigins": ["https://a", "htt ps://a"]}, "gateway.allowedOrigins[1]"),
        ({"allowedOrigins": ["chat.example"]}, "gateway.allowedOrigins[0]"),
        ({"allowedOrigins": ["https://"]}, "gateway.allowedOrigins[0]"),
        ({"allowedOrigins": ["https://a b"]}, "gateway.allowedOrigins[0]"),
        ({"publicUrl": "chat.example"}, "gateway.publicUrl"),
        ({"publicUrl": "ftp://chat.example"}, "gateway.publicUrl"),
        ({"publicUrl": "https://a@b"}, "gateway.publicUrl"),
        ({"publicUrl": "https://[::1"}, "gateway.publicUrl"),
        ({"command": ["a"], "url": "ws://x"}, "gateway.url"),
        ({"url": "http://x"}, "gateway.url"),
        ({"url": "ws://x:0"}, "gateway.url"),
        ({"repairCommand": ["x"]}, "gateway.repairCommand"),
        ({"url": "ws://x", "telemetry": {"enabled": True}}, "gateway.telemetry.enabled"),
        ({"command": ["x"], "telemetry": {"enabled": True}}, "gateway.telemetry.enabled"),
    ],
)
def test_what_the_types_cannot_express_is_refused(gateway: dict[str, Any], path: str) -> None:
    assert [problem.path for problem in gateway_problems(gateway)] == [path]


def test_a_login_in_an_address_is_not_in_what_is_said_of_it() -> None:
    (problem,) = gateway_problems({"publicUrl": "https://me:hunter2@chat.example"})
    assert "hunter2" not in problem.text
    assert "https://***@chat.example" in problem.text


@pytest.mark.parametrize(
    "gateway",
    [
        {},
        {"bind": "::1", "trustedProxies": ["10.0.0.0/8"], "tls": {"enabled": False}},
        {"command": ["a"], "reloadSignal": "SIGUSR2", "repairCommand": ["x"]},
        {"url": "wss://host:1/path"},
        {"publicUrl": "wss://chat.example:444/path"},
        {"allowedOrigins": ["*", "null", "file://", "HTTPS://a:1", "app://x", "http://[::1]:2"]},
        {"command": ["a"], "telemetry": {"enabled": False}},
        {"telemetry": {"enabled": True}},
        "of a wrong type",
        {"bind": 5, "trustedProxies": "x", "tls": [], "url": 1, "telemetry": []},
    ],
)
def test_what_is_right_or_left_to_the_types_is_no_problem(gateway: object) -> None:
    assert gateway_problems(gateway) == []


def test_only_accounts_that_would_run_are_in_the_way_of_a_foreign_gateway() -> None:
    channels = {"local": {"accounts": {"a": {}, "b": {"enabled": False}}}, "irc": {"nick": "n"}}
    specs = load_text(Path("trunkline.json5"), json.dumps({"channels": channels})).accounts
    assert list(specs) == ["local:a", "local:b", "irc:default"]
    assert [problem.path for problem in beside_foreign_problems(specs)] == [
        "channels.local.accounts.a"
    ]


@pytest.mark.parametrize(
    ("canvas", "gateway", "path"),
    [
        ({"enabled": True, "port": 18793}, {}, None),
        ({"port": 18789}, {}, None),
        ({"enabled": True, "port": 18789}, {}, "canvasHost.port"),
        ({"enabled": True}, {"http": {"enabled": False}}, "canvasHost.enabled"),
        ({"enabled": True}, {"command": ["other"]}, "canvasHost.enabled"),
        ({"enabled": False}, {"command": ["other"]}, None),
    ],
)
def test_a_canvas_host_that_could_not_serve_is_refused(
    canvas: dict[str, Any], gateway: dict[str, Any], path: str | None
) -> None:
    config = msgspec.convert({"gateway": gateway, "canvasHost": canvas}, Config)
    problem = canvas_problem(config)
    assert (problem and problem.path) == path
