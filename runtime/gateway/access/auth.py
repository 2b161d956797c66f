"""Is the secret right? Decides; neither reads nor waits.

Every secret is compared in constant time. The token of this boot is the supervisor's; the
configured token (or password, in either place) is everybody else's.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.config.model import TrustedProxyConfig
from runtime.gateway.access.origin import Whence
from runtime.gateway.access.scopes import ALL, OPERATOR

SESSION = "session"  # the method of our own supervisor; clients never see it
# PROTOCOL.md 1.5: without a device identity only these keep the scopes they ask for.
TRUSTED_CLIENTS = frozenset({("gateway-client", "backend"), ("cli", "cli")})


@dataclass(frozen=True, slots=True)
class Secrets:
    """``session`` proves our own supervisor; the others are the configured ones."""

    session: str
    token: str | None = None
    password: str | None = None
    mode: str = "token"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says about itself, as far as permission goes."""

    client: str
    mode: str
    role: str
    scopes: tuple[str, ...]
    token: str | None
    password: str | None
    device_token: str | None
    protocol: int

    @property
    def cli(self) -> bool:
        """Whether this is the command line, which gets hints of its own."""
        return self.client == "cli"

    @property
    def known_scopes(self) -> tuple[str, ...]:
        """Those scopes that exist, each once, as they were asked for."""
        return tuple(dict.fromkeys(scope for scope in self.scopes if scope in ALL))


@dataclass(frozen=True, slots=True)
class Verdict:
    """``method`` is the word for ``hello.auth`` when the secret is right; else ``reason``
    says why not, in the protocol's word.
    """

    method: str | None
    reason: str = ""

    @property
    def missing(self) -> bool:
        """Whether there was no secret at all: nobody was guessing."""
        return self.reason in ("token_missing", "password_missing")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client got. ``method`` is the word for ``hello.auth``.

    ``device_token`` is given back to the device it belongs to, ``issued_at`` in milliseconds.
    """

    role: str
    scopes: tuple[str, ...]
    method: str
    device: str | None = None
    device_token: str | None = None
    issued_at: int = 0
    user: str | None = None  # as a trusted proxy named it


def judge(claim: Claim, secrets: Secrets) -> Verdict:
    """Say whether the shared secret of a claim is right."""
    given = [secret for secret in (claim.token, claim.password) if secret]
    for secret in given:
        if same(secret, secrets.session):
            return Verdict(SESSION)
    if secrets.mode == "none":
        return Verdict("none")
    for secret in given:
        if same(secret, secrets.token):
            return Verdict("token")
        if same(secret, secrets.password):
            return Verdict("password")
    word = "password" if secrets.mode == "password" else "token"
    if secrets.token is None and secrets.password is None and secrets.mode != "trusted-proxy":
        return Verdict(None, f"{word}_missing_config")
    return Verdict(None, f"{word}_{'mismatch' if given else 'missing'}")


def proxied(
    config: TrustedProxyConfig, whence: Whence, local: bool, headers: Mapping[str, str]
) -> tuple[str | None, str]:
    """Return the person that a trusted proxy has logged in, or why there is none.

    ``local`` says that the socket itself comes from this host.
    """
    if whence.proxy is None:
        return None, "trusted_proxy_untrusted_source"
    if local and not config.allow_loopback:
        return None, "trusted_proxy_loopback_source"
    for name in config.required_headers:
        if not headers.get(name, "").strip():
            return None, f"trusted_proxy_missing_header_{name.lower()}"
    user = headers.get(config.user_header, "").strip()
    if not user:
        return None, "trusted_proxy_user_missing"
    if config.allow_users and user not in config.allow_users:
        return None, "trusted_proxy_user_not_allowed"
    return user, ""


def scopes_without_device(claim: Claim, method: str, whence: Whence) -> tuple[str, ...]:
    """Return what a client without a device may do (PROTOCOL.md 1.5)."""
    if claim.role != OPERATOR:
        return ()
    trusted = claim.protocol >= 4 and (claim.client, claim.mode) in TRUSTED_CLIENTS
    if method == "trusted-proxy" or (trusted and whence.loopback):
        return claim.known_scopes
    return ()


def same(given: str, expected: str | None) -> bool:
    """Compare secrets without telling by the time how much of them agrees."""
    if expected is None:
        return False
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())
