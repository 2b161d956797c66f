"""Checks of shared secrets, users of trusted proxies, scopes without a device."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runtime.config.auth_model import TrustedProxyConfig
from runtime.gateway.access.auth import (
    SUPERVISOR_LINK,
    ConnectClaim,
    Secrets,
    check_secret,
    same,
    scopes_without_device,
    user_of_proxy,
)
from runtime.gateway.access.client_address import ClientAddress

CLAIM = ConnectClaim("webchat-ui", "webchat", "operator", (), None, None, None, 4)
HERE = ClientAddress("127.0.0.1", loopback=True)
PROXIED = ClientAddress("203.0.113.9", loopback=False, proxy="10.0.0.1")


def claim(**changes: Any) -> ConnectClaim:
    return replace(CLAIM, **changes)


@pytest.mark.parametrize(
    ("secrets", "given", "method", "reason"),
    [
        (Secrets("boot", token="t"), {"token": "t"}, "token", ""),
        (Secrets("boot", token="t"), {"password": "t"}, "token", ""),
        (Secrets("boot", password="p", mode="password"), {"token": "p"}, "password", ""),
        (Secrets("boot", token="t", password="p"), {"token": "p"}, "password", ""),
        (Secrets("boot", token="t"), {"token": "x"}, None, "token_mismatch"),
        (Secrets("boot", token="t"), {"token": "T"}, None, "token_mismatch"),
        (Secrets("boot", token="t"), {}, None, "token_missing"),
        (Secrets("boot", token="t"), {"token": ""}, None, "token_missing"),
        (Secrets("boot"), {"token": "t"}, None, "token_missing_config"),
        (Secrets("boot", mode="password"), {}, None, "password_missing_config"),
        (Secrets("boot", password="p", mode="password"), {}, None, "password_missing"),
        (Secrets("boot", password="p", mode="password"), {"token": "x"}, None, "password_mismatch"),
        (Secrets("boot", mode="trusted-proxy"), {"token": "x"}, None, "token_mismatch"),
        (Secrets("boot", mode="none"), {}, "none", ""),
        (Secrets("boot", mode="none"), {"token": "boot"}, SUPERVISOR_LINK, ""),
        (Secrets("boot", token="t"), {"password": "boot"}, SUPERVISOR_LINK, ""),
        (Secrets("boot", token="t"), {"token": "\ud800"}, None, "token_mismatch"),
    ],
)
def test_a_shared_secret_is_right_or_the_reason_is_named(
    secrets: Secrets, given: dict[str, str], method: str | None, reason: str
) -> None:
    checked = check_secret(claim(**given), secrets)
    assert (checked.method, checked.reason) == (method, reason)
    assert checked.missing == (reason in ("token_missing", "password_missing"))


@pytest.mark.parametrize(
    ("given", "expected", "equal"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", None, False),
        ("", "", True),
        ("ä", "ä", True),
        ("a", "\udce4", False),
        ("\udce4", "\udce4", True),
    ],
)
def test_secrets_are_compared_as_bytes(given: str, expected: str | None, equal: bool) -> None:
    assert same(given, expected) is equal


USER = {"x-forwarded-user": " ann "}


@pytest.mark.parametrize(
    ("config", "origin", "local", "headers", "user", "reason"),
    [
        ({}, PROXIED, False, USER, "ann", ""),
        ({}, HERE, True, USER, None, "trusted_proxy_untrusted_source"),
        ({}, PROXIED, True, USER, None, "trusted_proxy_loopback_source"),
        ({"allow_loopback": True}, PROXIED, True, USER, "ann", ""),
        ({}, PROXIED, False, {}, None, "trusted_proxy_user_missing"),
        ({}, PROXIED, False, {"x-forwarded-user": " "}, None, "trusted_proxy_user_missing"),
        ({"allow_users": ["bob"]}, PROXIED, False, USER, None, "trusted_proxy_user_not_allowed"),
        ({"allow_users": ["ann"]}, PROXIED, False, USER, "ann", ""),
        ({"user_header": "X-Mail"}, PROXIED, False, {"x-mail": "ann"}, "ann", ""),
        (
            {"required_headers": ["X-Secure"]},
            PROXIED,
            False,
            USER,
            None,
            "trusted_proxy_missing_header_x-secure",
        ),
        (
            {"required_headers": ["X-Secure"]},
            PROXIED,
            False,
            USER | {"x-secure": " "},
            None,
            "trusted_proxy_missing_header_x-secure",
        ),
        ({"required_headers": ["X-Secure"]}, PROXIED, False, USER | {"x-secure": "1"}, "ann", ""),
    ],
)
def test_a_trusted_proxy_names_the_user(
    config: dict[str, Any],
    origin: ClientAddress,
    local: bool,
    headers: dict[str, str],
    user: str | None,
    reason: str,
) -> None:
    assert user_of_proxy(TrustedProxyConfig(**config), origin, local, headers) == (user, reason)


READ = ("operator.read",)


@pytest.mark.parametrize(
    ("changes", "method", "origin", "kept"),
    [
        ({"client": "cli", "mode": "cli"}, "token", HERE, True),
        ({"client": "gateway-client", "mode": "backend"}, "none", HERE, True),
        ({"client": "cli", "mode": "cli"}, "token", PROXIED, False),
        ({"client": "cli", "mode": "cli", "protocol": 3}, "token", HERE, False),
        ({"client": "cli", "mode": "ui"}, "token", HERE, False),
        ({}, "token", HERE, False),
        ({}, "trusted-proxy", PROXIED, True),
        ({"client": "gateway-client", "mode": "backend"}, "password", PROXIED, False),
        ({"role": "node"}, "trusted-proxy", PROXIED, False),
        ({"role": "node", "client": "cli", "mode": "cli"}, "token", HERE, False),
    ],
)
def test_only_trusted_programs_keep_their_scopes_without_a_device(
    changes: dict[str, Any], method: str, origin: ClientAddress, kept: bool
) -> None:
    asked = claim(scopes=("operator.read", "operator.read", "bogus"), **changes)
    assert scopes_without_device(asked, method, origin) == (READ if kept else ())
