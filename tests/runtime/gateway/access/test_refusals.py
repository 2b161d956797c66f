"""The answers to a ``connect`` that fails."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from runtime.gateway.access.refusals import (
    Refusal,
    bad_device,
    foreign_origin,
    invalid,
    no_identity,
    not_now,
    pairing_required,
    unauthorized,
)


def details(refusal: Refusal) -> dict[str, Any]:
    return cast(dict[str, Any], refusal.error.details)


@pytest.mark.parametrize(
    ("refusal", "code", "kind"),
    [
        (invalid("no"), 1008, "INVALID_REQUEST"),
        (invalid("no", {"code": "X"}), 1008, "X"),
        (no_identity(), 1008, "DEVICE_IDENTITY_REQUIRED"),
        (unauthorized("token_mismatch", cli=False, protocol=4), 1008, "AUTH_TOKEN_MISMATCH"),
        (unauthorized("of the future", cli=False, protocol=4), 1008, "AUTH_UNAUTHORIZED"),
        (bad_device("device-signature"), 1008, "DEVICE_AUTH_SIGNATURE_INVALID"),
        (pairing_required("not-paired", "r", "d", {}), 1008, "PAIRING_REQUIRED"),
        (not_now("gateway starting"), 1013, "startup-sidecars"),
    ],
)
def test_each_refusal_has_a_close_code_and_one_word_for_counters(
    refusal: Refusal, code: int, kind: str
) -> None:
    assert (refusal.code, refusal.kind) == (code, kind)
    assert refusal.reason
    assert str(refusal) == refusal.error.message


def secret_refused(code: str, reason: str, step: str = "update_auth_credentials") -> dict[str, Any]:
    return {
        "code": code,
        "authReason": reason,
        "canRetryWithDeviceToken": False,
        "recommendedNextStep": step,
    }


NOT_ALLOWED = (
    "origin not allowed (open the Control UI from the gateway host or allow it in"
    " gateway.allowedOrigins)"
)
FULL: list[tuple[Refusal, dict[str, Any]]] = [
    (invalid("no"), {"code": "INVALID_REQUEST", "message": "no"}),
    (
        no_identity(),
        {
            "code": "NOT_PAIRED",
            "message": "device identity required",
            "details": {"code": "DEVICE_IDENTITY_REQUIRED"},
        },
    ),
    (
        foreign_origin(),
        {
            "code": "INVALID_REQUEST",
            "message": NOT_ALLOWED,
            "details": {"code": "CONTROL_UI_ORIGIN_NOT_ALLOWED", "reason": "origin not allowed"},
        },
    ),
    (
        unauthorized("of the future", cli=False, protocol=4),
        {
            "code": "INVALID_REQUEST",
            "message": "unauthorized",
            "details": secret_refused("AUTH_UNAUTHORIZED", "of the future"),
        },
    ),
    (
        unauthorized("token_mismatch", cli=False, protocol=4),
        {
            "code": "INVALID_REQUEST",
            "message": "unauthorized: gateway token mismatch (provide gateway auth token)",
            "details": secret_refused("AUTH_TOKEN_MISMATCH", "token_mismatch"),
        },
    ),
    (
        unauthorized("rate_limited", cli=False, protocol=4, wait=1.5),
        {
            "code": "INVALID_REQUEST",
            "message": "unauthorized: too many failed authentication attempts (retry later)",
            "details": secret_refused("AUTH_RATE_LIMITED", "rate_limited", "wait_then_retry"),
            "retryable": True,
            "retryAfterMs": 1501,
        },
    ),
    (
        bad_device("device-nonce-mismatch"),
        {
            "code": "INVALID_REQUEST",
            "message": "device nonce mismatch",
            "details": {"code": "DEVICE_AUTH_NONCE_MISMATCH", "reason": "device-nonce-mismatch"},
        },
    ),
    (
        pairing_required("not-paired", "r-1", "d-1", {"requestedRole": "node"}),
        {
            "code": "NOT_PAIRED",
            "message": "pairing required: device is not approved yet",
            "details": {
                "code": "PAIRING_REQUIRED",
                "reason": "not-paired",
                "requestId": "r-1",
                "remediationHint": "Approve this device from the pending pairing requests.",
                "deviceId": "d-1",
                "requestedRole": "node",
            },
        },
    ),
    (
        not_now("gateway starting"),
        {
            "code": "UNAVAILABLE",
            "message": "gateway starting; retry shortly",
            "details": {"reason": "startup-sidecars"},
            "retryable": True,
            "retryAfterMs": 500,
        },
    ),
]
OTHER_REASONS = {  # of the close; for all others it is the message
    "PAIRING_REQUIRED": "pairing required: device is not approved yet (requestId: r-1)",
    "startup-sidecars": "gateway starting",
}


@pytest.mark.parametrize(("refusal", "error"), FULL)
def test_a_refusal_is_what_clients_of_the_protocol_expect(
    refusal: Refusal, error: dict[str, Any]
) -> None:
    assert msgspec.to_builtins(refusal.error) == error
    assert refusal.reason == OTHER_REASONS.get(refusal.kind, error["message"])
    assert refusal.delay == 0


@pytest.mark.parametrize("secret", ["token", "password"])
@pytest.mark.parametrize(
    ("cli", "protocol", "hint"),
    [
        (False, 3, "provide gateway auth {}"),
        (False, 4, "provide gateway auth {}"),
        (True, 3, "set gateway.remote.{0} to match gateway.auth.{0}"),
        (True, 4, "use this gateway's gateway.auth.{} or pair the device"),
    ],
)
def test_the_hint_fits_the_client(cli: bool, protocol: int, hint: str, secret: str) -> None:
    refusal = unauthorized(f"{secret}_missing", cli=cli, protocol=protocol)
    text = f"unauthorized: gateway {secret} missing ({hint.format(secret)})"
    assert refusal.error.message == text


@pytest.mark.parametrize(
    ("reason", "device", "retry", "step"),
    [
        ("token_mismatch", True, True, "retry_with_device_token"),
        ("token_mismatch", False, False, "update_auth_credentials"),
        ("password_mismatch", True, False, "update_auth_credentials"),
        ("rate_limited", False, False, "wait_then_retry"),
        ("token_missing_config", False, False, "update_auth_configuration"),
    ],
)
def test_the_next_step_is_named(reason: str, device: bool, retry: bool, step: str) -> None:
    found = details(unauthorized(reason, cli=False, protocol=4, device=device))
    assert found["canRetryWithDeviceToken"] is retry
    assert found["recommendedNextStep"] == step


def test_a_pairing_request_is_named_in_the_close_reason() -> None:
    refusal = pairing_required("scope-upgrade", "r-1", "d-1", {"requestedScopes": ["a"]})
    assert refusal.reason.endswith("(requestId: r-1)")
    assert details(refusal)["requestedScopes"] == ["a"]
    assert details(refusal)["deviceId"] == "d-1"


def test_clients_retry_a_gateway_that_starts() -> None:
    error = not_now("gateway starting").error
    assert (error.code, error.retryable) == ("UNAVAILABLE", True)
    assert 100 <= cast(int, error.retry_after_ms) <= 2000  # what the real command line accepts
