"""The answers to a ``connect`` that fails."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runtime.gateway.access.refusals import (
    Refusal,
    bad_device,
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


@pytest.mark.parametrize(
    ("cli", "protocol", "hint"),
    [
        (False, 4, "provide gateway auth token"),
        (True, 3, "set gateway.remote.token to match gateway.auth.token"),
        (True, 4, "use this gateway's gateway.auth.token or pair the device"),
    ],
)
def test_the_hint_fits_the_client(cli: bool, protocol: int, hint: str) -> None:
    refusal = unauthorized("token_missing", cli=cli, protocol=protocol)
    assert refusal.error.message == f"unauthorized: gateway token missing ({hint})"


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


def test_a_locked_address_learns_when_to_come_back() -> None:
    error = unauthorized("rate_limited", cli=False, protocol=4, wait=1.5).error
    assert (error.retryable, error.retry_after_ms) == (True, 1501)


def test_a_pairing_request_is_named_in_the_close_reason() -> None:
    refusal = pairing_required("scope-upgrade", "r-1", "d-1", {"requestedScopes": ["a"]})
    assert refusal.reason.endswith("(requestId: r-1)")
    assert details(refusal)["requestedScopes"] == ["a"]
    assert details(refusal)["deviceId"] == "d-1"


def test_clients_retry_a_gateway_that_starts() -> None:
    error = not_now("gateway starting").error
    assert (error.code, error.retryable) == ("UNAVAILABLE", True)
    assert 100 <= cast(int, error.retry_after_ms) <= 2000  # what the real command line accepts
