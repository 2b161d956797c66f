"""Checks the shared secrets of a ``connect``: token and password. Pure.

Every secret is compared in constant time. The token of this boot belongs to the supervisor;
all other clients prove the configured token or password, each in either field.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import msgspec

from ipc.hidden_fields import hide_fields
from runtime.config.auth_model import TrustedProxyConfig
from runtime.gateway.access.client_address import ClientAddress
from runtime.gateway.access.scopes import ALL, OPERATOR

SUPERVISOR_LINK = "session"  # ``hello.auth`` of our own supervisor; no other client gets it
# As OpenClaw does: without a device identity only these keep the scopes they ask for.
TRUSTED_CLIENTS = frozenset({("gateway-client", "backend"), ("cli", "cli")})


@hide_fields("supervisor", "token", "password")
class Secrets(msgspec.Struct, frozen=True):
    """The secrets that open this gateway.

    ``supervisor`` is the token of this boot, ``token`` and ``password`` are the configured ones.
    """

    supervisor: str
    token: str | None = None
    password: str | None = None
    mode: str = "token"


@hide_fields("token", "password", "device_token", "bootstrap_token")
class ConnectClaim(msgspec.Struct, frozen=True):
    """The part of a ``connect`` that decides about permission."""

    client: str
    mode: str
    role: str
    scopes: tuple[str, ...]
    token: str | None
    password: str | None
    device_token: str | None
    protocol: int
    bootstrap_token: str | None = None

    @property
    def cli(self) -> bool:
        """True for the command line, whose refusals carry hints of their own."""
        return self.client == "cli"

    @property
    def known_scopes(self) -> tuple[str, ...]:
        """The requested scopes that exist, each once, in the requested order."""
        return tuple(dict.fromkeys(scope for scope in self.scopes if scope in ALL))


class SecretCheck(msgspec.Struct, frozen=True):
    """The result of checking a shared secret.

    ``method`` is the value of ``hello.auth`` when the secret is right, else ``None``; ``reason``
    is then the protocol's ``authReason``.
    """

    method: str | None
    reason: str = ""

    @property
    def missing(self) -> bool:
        """True when no secret was sent at all, which is no guess."""
        return self.reason in ("token_missing", "password_missing")


@hide_fields("device_token")
class Grant(msgspec.Struct, frozen=True):
    """The rights of an admitted client.

    ``method`` is the value of ``hello.auth``. ``device_token`` is returned to the device that
    owns it; ``issued_at`` is in milliseconds of the epoch.
    """

    role: str
    scopes: tuple[str, ...]
    method: str
    device: str | None = None
    device_token: str | None = None
    issued_at: int = 0
    user: str | None = None  # the name that a trusted proxy has given


def check_secret(claim: ConnectClaim, secrets: Secrets) -> SecretCheck:
    """Check the shared secret of a claim against those of this gateway."""
    given = [secret for secret in (claim.token, claim.password) if secret]
    for secret in given:
        if same(secret, secrets.supervisor):
            return SecretCheck(SUPERVISOR_LINK)
    if secrets.mode == "none":
        return SecretCheck("none")
    for secret in given:
        if same(secret, secrets.token):
            return SecretCheck("token")
        if same(secret, secrets.password):
            return SecretCheck("password")
    word = "password" if secrets.mode == "password" else "token"
    if secrets.token is None and secrets.password is None and secrets.mode != "trusted-proxy":
        return SecretCheck(None, f"{word}_missing_config")
    return SecretCheck(None, f"{word}_{'mismatch' if given else 'missing'}")


def user_of_proxy(
    config: TrustedProxyConfig, origin: ClientAddress, local: bool, headers: Mapping[str, str]
) -> tuple[str | None, str]:
    """Return the user that a trusted proxy names and an empty reason, or the reason of a refusal.

    ``headers`` have names in lower case; ``local``: the socket itself comes from this host.
    """
    if origin.proxy is None:
        return None, "trusted_proxy_untrusted_source"
    if local and not config.allow_loopback:
        return None, "trusted_proxy_loopback_source"
    for name in config.required_headers:
        if not headers.get(name.lower(), "").strip():
            return None, f"trusted_proxy_missing_header_{name.lower()}"
    user = headers.get(config.user_header.lower(), "").strip()
    if not user:
        return None, "trusted_proxy_user_missing"
    if config.allow_users and user not in config.allow_users:
        return None, "trusted_proxy_user_not_allowed"
    return user, ""


def scopes_without_device(
    claim: ConnectClaim, method: str, origin: ClientAddress
) -> tuple[str, ...]:
    """Return the scopes of a client that has no device identity."""
    if claim.role != OPERATOR:
        return ()
    trusted = claim.protocol >= 4 and (claim.client, claim.mode) in TRUSTED_CLIENTS
    if method == "trusted-proxy" or (trusted and origin.loopback):
        return claim.known_scopes
    return ()


def same(given: str, expected: str | None) -> bool:
    """Compare two secrets in constant time; ``False`` where none is expected."""
    if expected is None:
        return False
    # A variable whose bytes are no UTF-8 is no text that can be encoded otherwise.
    one, other = (each.encode(errors="surrogatepass") for each in (given, expected))
    return hmac.compare_digest(one, other)
