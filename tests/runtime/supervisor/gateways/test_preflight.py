"""What of a gateway's section cannot be had, before it is taken over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.config.errors import ConfigError
from runtime.config.gateway_model import GatewayConfig
from runtime.config.load import Loaded, load_text
from runtime.supervisor.gateways.preflight import GatewayPreflight, gateway_problems

NO_ENV = {"source": "env", "id": "NO_SUCH_VARIABLE"}
NO_FILE = {"source": "file", "id": "/no/such/file"}
FAILS = {"source": "exec", "id": "false"}
PRINTS = {"source": "exec", "id": "echo secret"}


def loaded(**gateway: Any) -> Loaded:
    empty = load_text(Path("trunkline.json5"), "{}")
    config = msgspec.structs.replace(empty.config, gateway=msgspec.convert(gateway, GatewayConfig))
    return msgspec.structs.replace(empty, config=config)


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ({"auth": {"token": "plain"}}, []),
        ({"auth": {"mode": "none"}}, []),
        ({"auth": {"token": PRINTS}}, []),
        (
            {"auth": {"token": NO_ENV}},
            ["gateway.auth.token: cannot be resolved: the environment variable NO_SUCH_VARIABLE"],
        ),
        (
            {"auth": {"token": "plain", "password": NO_FILE}},
            ["gateway.auth.password: cannot be resolved: the secret file:/no/such/file"],
        ),
        (
            {"auth": {"token": FAILS, "password": NO_ENV}},
            ["gateway.auth.token: cannot be resolved", "gateway.auth.password: cannot be"],
        ),
        ({"auth": {"mode": "none", "token": NO_ENV}}, ["gateway.auth.token"]),
        (
            {
                "auth": {"token": "t"},
                "tls": {"enabled": True, "certPath": "/no/c.pem", "keyPath": "/no/k.pem"},
            },
            ["gateway.tls: /no/c.pem and /no/k.pem cannot be used: No such file"],
        ),
        (
            {"auth": {"token": "t"}, "tls": {"certPath": "/no/c.pem", "keyPath": "/no/k.pem"}},
            [],
        ),
        ({"url": "ws://127.0.0.1:1", "auth": {"token": "t", "password": NO_ENV}}, []),
        ({"command": ["openclaw"], "auth": {"token": NO_ENV}}, ["gateway.auth.token"]),
    ],
)
def test_each_secret_and_certificate_that_cannot_be_had_is_a_problem(
    gateway: dict[str, Any], expected: list[str]
) -> None:
    found = [str(each) for each in gateway_problems(msgspec.convert(gateway, GatewayConfig))]
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start)


def test_an_unreadable_secret_is_refused_like_a_wrong_file() -> None:
    with pytest.raises(ConfigError) as refused:
        GatewayPreflight().check(loaded(auth={"token": NO_ENV}))
    assert "trunkline.json5: gateway.auth.token: cannot be resolved" in str(refused.value)


@pytest.mark.parametrize(
    ("others", "foreign", "refused"),
    [
        ({}, {}, False),
        ({"source": "env", "id": "SECRET_OF_ANOTHER"}, {}, True),
        ({"source": "env", "id": "SECRET_OF_ANOTHER"}, {"command": ["openclaw"]}, False),
    ],
)
def test_a_command_is_tried_with_what_it_will_have_in_the_gateway(
    monkeypatch: pytest.MonkeyPatch, others: dict[str, str], foreign: dict[str, Any], refused: bool
) -> None:
    monkeypatch.setenv("SECRET_OF_ANOTHER", "x")
    token = {"source": "exec", "id": "printenv SECRET_OF_ANOTHER"}
    given = loaded(auth={"token": token}, **foreign)
    preflight = GatewayPreflight()
    preflight.check(given)  # as long as it is not another's, the command has it
    given = msgspec.structs.replace(given, raw={"channels": {"irc": {"password": others}}})
    if not refused:
        preflight.check(given)
        return
    with pytest.raises(ConfigError, match="printenv SECRET_OF_ANOTHER failed"):
        preflight.check(given)


@pytest.mark.parametrize(
    ("reload", "asked"), [({}, 1), ({"mode": "hot"}, 1), ({"mode": "restart"}, 3)]
)
def test_a_password_store_is_asked_only_where_its_answer_counts(
    reload: dict[str, str], asked: int, tmp_path: Path
) -> None:
    log = tmp_path / "asked"
    script = tmp_path / "store"
    script.write_text(f"#!/bin/sh\necho x >> {log}\necho secret\n")
    script.chmod(0o700)
    given = loaded(auth={"token": {"source": "exec", "id": str(script)}}, reload=reload)
    preflight = GatewayPreflight()
    for _ in range(3):
        preflight.check(given)
    assert log.read_text().count("x") == asked


def test_what_was_refused_is_looked_at_again(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    given = loaded(auth={"token": {"source": "file", "id": str(secret)}})
    preflight = GatewayPreflight()
    with pytest.raises(ConfigError):
        preflight.check(given)
    secret.write_text("now it is there")
    preflight.check(given)
