"""Builds the refusals of a ``connect``, in the words of each protocol. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from ipc.frames.websocket import ErrorShape
from ipc.frames.words import INVALID_REQUEST, NOT_PAIRED, UNAVAILABLE

RETRY_MS = 500  # the real CLI accepts 100 to 2000


# Of refusals that have no reason in the tables below.
OTHER_KINDS = (
    "CONTROL_UI_ORIGIN_NOT_ALLOWED",
    "DEVICE_IDENTITY_REQUIRED",
    "PAIRING_REQUIRED",
    "PROTOCOL_MISMATCH",
    INVALID_REQUEST,
    UNAVAILABLE,
)


class Refusal(Exception):
    """A ``connect`` that fails: the error to answer, then the close code and its reason.

    ``delay`` is the number of seconds before the answer is sent, which slows guessing down.
    """

    def __init__(
        self, error: ErrorShape, *, code: int = 1008, reason: str = "", delay: float = 0.0
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.code = code
        self.reason = reason or error.message
        self.delay = delay

    @property
    def kind(self) -> str:
        """The reason as one of a few fixed words, for counters."""
        details = self.error.details
        named = details.get("code") or details.get("reason") if isinstance(details, dict) else None
        return str(named or self.error.code)

    @property
    def lacks_secret(self) -> bool:
        """Whether the client has sent no secret at all, rather than a wrong one."""
        return self.kind in ("AUTH_TOKEN_MISSING", "AUTH_PASSWORD_MISSING")


def invalid(message: str, details: dict[str, Any] | None = None) -> Refusal:
    """Return the refusal of a malformed ``connect``."""
    return Refusal(ErrorShape(INVALID_REQUEST, message, UNSET if details is None else details))


def no_identity() -> Refusal:
    """Return the refusal of a client without a device identity that needs one."""
    details = {"code": "DEVICE_IDENTITY_REQUIRED"}
    return Refusal(ErrorShape(NOT_PAIRED, "device identity required", details))


def foreign_origin() -> Refusal:
    """Return the refusal of a web page of another origin, which could otherwise guess tokens."""
    text = "origin not allowed"
    hint = "open the Control UI from the gateway host or allow it in gateway.allowedOrigins"
    details = {"code": "CONTROL_UI_ORIGIN_NOT_ALLOWED", "reason": text}
    return invalid(f"{text} ({hint})", details)


_UNAUTHORIZED = {
    "token_missing": ("AUTH_TOKEN_MISSING", "gateway token missing ({token})"),
    "token_mismatch": ("AUTH_TOKEN_MISMATCH", "gateway token mismatch ({token})"),
    "token_missing_config": (
        "AUTH_TOKEN_NOT_CONFIGURED",
        "gateway token not configured on gateway (set gateway.auth.token)",
    ),
    "password_missing": ("AUTH_PASSWORD_MISSING", "gateway password missing ({password})"),
    "password_mismatch": ("AUTH_PASSWORD_MISMATCH", "gateway password mismatch ({password})"),
    "password_missing_config": (
        "AUTH_PASSWORD_NOT_CONFIGURED",
        "gateway password not configured on gateway (set gateway.auth.password)",
    ),
    "device_token_mismatch": (
        "AUTH_DEVICE_TOKEN_MISMATCH",
        "device token mismatch (rotate/reissue device token)",
    ),
    "bootstrap_token_invalid": (
        "AUTH_BOOTSTRAP_TOKEN_INVALID",
        "bootstrap token invalid, used or expired (run `trunkline open` again)",
    ),
    "scope_mismatch": (
        "AUTH_SCOPE_MISMATCH",
        "device token scope mismatch (re-pair or approve scope upgrade)",
    ),
    "rate_limited": (
        "AUTH_RATE_LIMITED",
        "too many failed authentication attempts (retry later)",
    ),
}
_NEXT_STEP = {
    "token_missing_config": "update_auth_configuration",
    "password_missing_config": "update_auth_configuration",
    "rate_limited": "wait_then_retry",
    "scope_mismatch": "review_auth_configuration",
}


def unauthorized(
    reason: str, *, cli: bool, protocol: int, device: bool = False, wait: float = 0.0
) -> Refusal:
    """Return the refusal of a secret. ``reason`` is the protocol's ``authReason``.

    ``device`` is true when a device token may open the gateway instead; ``wait`` is the number
    of seconds for which the address stays locked out.
    """
    code, text = _UNAUTHORIZED.get(reason, ("AUTH_UNAUTHORIZED", ""))
    message = "unauthorized"
    if text:
        message = f"unauthorized: {text.format(**_hints(cli, protocol))}"
    retry = device and reason == "token_mismatch"
    step = _NEXT_STEP.get(reason, "update_auth_credentials")
    details = {
        "code": code,
        "authReason": reason,
        "canRetryWithDeviceToken": retry,
        "recommendedNextStep": "retry_with_device_token" if retry else step,
    }
    if not wait:
        return Refusal(ErrorShape(INVALID_REQUEST, message, details))
    after = int(wait * 1000) + 1
    return Refusal(
        ErrorShape(INVALID_REQUEST, message, details, retryable=True, retry_after_ms=after)
    )


def _hints(cli: bool, protocol: int) -> dict[str, str]:
    if not cli:
        return {"token": "provide gateway auth token", "password": "provide gateway auth password"}
    if protocol < 4:
        return {
            "token": "set gateway.remote.token to match gateway.auth.token",
            "password": "set gateway.remote.password to match gateway.auth.password",
        }
    return {
        "token": "use this gateway's gateway.auth.token or pair the device",
        "password": "use this gateway's gateway.auth.password or pair the device",
    }


_DEVICE = {
    "device-id-mismatch": ("DEVICE_AUTH_DEVICE_ID_MISMATCH", "device identity mismatch"),
    "device-signature-stale": ("DEVICE_AUTH_SIGNATURE_EXPIRED", "device signature expired"),
    "device-nonce-missing": ("DEVICE_AUTH_NONCE_REQUIRED", "device nonce required"),
    "device-nonce-mismatch": ("DEVICE_AUTH_NONCE_MISMATCH", "device nonce mismatch"),
    "device-signature": ("DEVICE_AUTH_SIGNATURE_INVALID", "device signature invalid"),
    "device-public-key": ("DEVICE_AUTH_PUBLIC_KEY_INVALID", "device public key invalid"),
}
# Under which refused handshakes are counted.
KINDS = tuple(
    sorted(
        {*OTHER_KINDS, "AUTH_UNAUTHORIZED"}
        | {code for code, _ in _UNAUTHORIZED.values()}
        | {code for code, _ in _DEVICE.values()}
    )
)


def bad_device(reason: str) -> Refusal:
    """Return the refusal of a device identity; ``reason`` is a key of ``_DEVICE``."""
    code, message = _DEVICE[reason]
    return invalid(message, {"code": code, "reason": reason})


_PAIRING = {
    "not-paired": (
        "device is not approved yet",
        "Approve this device from the pending pairing requests.",
    ),
    "role-upgrade": (
        "device is asking for a higher role than currently approved",
        "Review the requested role upgrade, then approve the pending request.",
    ),
    "scope-upgrade": (
        "device is asking for more scopes than currently approved",
        "Review the requested scopes, then approve the pending upgrade.",
    ),
}


def pairing_required(reason: str, request: str, device: str, more: dict[str, Any]) -> Refusal:
    """Return the refusal of a device that needs an operator's approval first."""
    needed, hint = _PAIRING[reason]
    message = f"pairing required: {needed}"
    details = {
        "code": "PAIRING_REQUIRED",
        "reason": reason,
        "requestId": request,
        "remediationHint": hint,
        "deviceId": device,
    }
    error = ErrorShape(NOT_PAIRED, message, details | more)
    return Refusal(error, reason=f"{message} (requestId: {request})")


def not_now(reason: str) -> Refusal:
    """Return the refusal while the gateway starts or drains, which clients retry by themselves."""
    error = ErrorShape(
        UNAVAILABLE,
        f"{reason}; retry shortly",
        {"reason": "startup-sidecars"},
        retryable=True,
        retry_after_ms=RETRY_MS,
    )
    return Refusal(error, code=1013, reason=reason)
