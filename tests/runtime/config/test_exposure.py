"""A gateway that anybody could use does not start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.config.errors import ConfigError
from runtime.config.exposure import exposure
from runtime.config.load import load_text


@pytest.mark.parametrize(
    ("gateway", "path"),
    [
        ({}, "gateway.auth.token"),
        ({"auth": {"token": "t"}, "bind": "lan"}, None),
        ({"auth": {"mode": "password"}}, "gateway.auth.password"),
        ({"auth": {"mode": "password", "password": "p"}}, None),
        ({"auth": {"mode": "none"}}, None),
        ({"auth": {"mode": "none"}, "bind": "auto"}, None),
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
    problem = exposure(config.gateway)
    assert (problem.path if problem else None) == path


@pytest.mark.parametrize(
    ("gateway", "path"),
    [
        ('trustedProxies: ["10.0.0.0/8", "::1", "proxy"]', "gateway.trustedProxies[2]"),
        ('tls: {enabled: true, keyPath: "/k"}', "gateway.tls.certPath"),
        ('tls: {enabled: true, certPath: "/c"}', "gateway.tls.keyPath"),
    ],
)
def test_what_the_types_cannot_say(gateway: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(Path("trunkline.json5"), f'{{gateway: {{auth: {{token: "t"}}, {gateway}}}}}')
    assert [problem.path for problem in caught.value.problems] == [path]
