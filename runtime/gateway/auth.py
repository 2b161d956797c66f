"""Who may connect, and what they may do then. Decides; neither reads nor waits.

A secret is compared in constant time. The token of this boot is the supervisor's; the
configured token (or password) is everybody else's.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from ipc.frames import ErrorShape
from runtime.gateway.scopes import ALL, OPERATOR, SUPERVISOR

# PROTOCOL.md 1.5: without a device identity only these keep the scopes they ask for.
TRUSTED_CLIENTS = frozenset({("gateway-client", "backend"), ("cli", "cli")})


class Refusal(Exception):
    """A ``connect`` that fails: the error to answer, then the close code with its reason.

    ``delay`` is how many seconds to let pass first, against guessing.
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
        """One of few words, for counting."""
        details = self.error.details
        named = details.get("code") or details.get("reason") if isinstance(details, dict) else None
        return str(named or self.error.code)


@dataclass(frozen=True, slots=True)
class Secrets:
    """``session`` proves our own supervisor; the others are the configured ones."""

    session: str
    token: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says about itself, as far as permission goes."""

    client: str
    mode: str
    role: str
    scopes: Iterable[str]
    secret: str | None
    device: bool
    protocol: int
    loopback: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client got. ``method`` is the word for ``hello.auth``."""

    role: str
    scopes: tuple[str, ...]
    method: str


def authorise(claim: Claim, secrets: Secrets) -> Grant:
    """Return what the claim is worth; raises ``Refusal`` when its secret is missing or wrong."""
    if not claim.secret:
        raise Refusal(_missing(claim))
    if _same(claim.secret, secrets.session):
        return Grant(SUPERVISOR, tuple(sorted(ALL)), "token")
    if _same(claim.secret, secrets.token):
        return Grant(claim.role, _scopes(claim), "token")
    if _same(claim.secret, secrets.password):
        return Grant(claim.role, _scopes(claim), "password")
    raise Refusal(_mismatch(claim))


def _same(given: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(given.encode(), expected.encode())


def _scopes(claim: Claim) -> tuple[str, ...]:
    if claim.role != OPERATOR:
        return ()
    trusted = claim.protocol >= 4 and (claim.client, claim.mode) in TRUSTED_CLIENTS
    if claim.loopback and (trusted or claim.device):
        return tuple(dict.fromkeys(scope for scope in claim.scopes if scope in ALL))
    return ()


def _missing(claim: Claim) -> ErrorShape:
    if not claim.device:
        return ErrorShape(
            "NOT_PAIRED", "device identity required", {"code": "DEVICE_IDENTITY_REQUIRED"}
        )
    return ErrorShape(
        "INVALID_REQUEST",
        "unauthorized: gateway token missing (provide gateway auth token)",
        {
            "code": "AUTH_TOKEN_MISSING",
            "authReason": "token_missing",
            "canRetryWithDeviceToken": False,
            "recommendedNextStep": "update_auth_credentials",
        },
    )


def _mismatch(claim: Claim) -> ErrorShape:
    step = "retry_with_device_token" if claim.device else "update_auth_credentials"
    return ErrorShape(
        "INVALID_REQUEST",
        "unauthorized: gateway token mismatch (provide gateway auth token)",
        {
            "code": "AUTH_TOKEN_MISMATCH",
            "authReason": "token_mismatch",
            "canRetryWithDeviceToken": claim.device,
            "recommendedNextStep": step,
        },
    )
