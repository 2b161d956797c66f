"""Defines how clients of the gateway prove that they may connect. Pure."""

from typing import Annotated, Literal

from msgspec import Meta

from ipc.hidden_fields import hide_fields
from runtime.config.fields import Count, Millis, Section, Text
from workers.plugin import REMOTE
from workers.secrets import SecretRef


class RateLimitConfig(Section, frozen=True):
    """How often a wrong token may be tried from one address. OpenClaw's numbers."""

    max_attempts: Annotated[
        Count,
        Meta(
            description="Wrong secrets from one address within `windowMs` after which it is "
            "locked out."
        ),
    ] = 10
    window_ms: Annotated[
        Millis, Meta(description="Milliseconds over which wrong secrets are counted.")
    ] = 60_000
    lockout_ms: Annotated[
        Millis, Meta(description="Milliseconds for which an address is locked out.")
    ] = 300_000
    # A mistake on the own machine is slowed down, not locked out.
    exempt_loopback: Annotated[
        bool,
        Meta(
            description="Whether clients on this host are only slowed down, and never locked out."
        ),
    ] = True


class TrustedProxyConfig(Section, frozen=True):
    """What a reverse proxy that has logged people in must send (mode ``trusted-proxy``)."""

    # That of oauth2-proxy and its like.
    user_header: Annotated[
        Text, Meta(description="The header in which the proxy names the person who is logged in.")
    ] = "x-forwarded-user"
    required_headers: Annotated[
        list[Text],
        Meta(
            description="Headers that only the proxy adds; a request without one of them is "
            "refused."
        ),
    ] = []
    allow_users: Annotated[
        list[Text],
        REMOTE,
        Meta(description="Names that are admitted; empty: everybody whom the proxy admits."),
    ] = []
    # For hosts on which all local programs are trusted.
    allow_loopback: Annotated[
        bool,
        Meta(
            description="Whether the proxy may be on this host, where it looks like any other "
            "local program."
        ),
    ] = False


@hide_fields("token", "password")
class AuthConfig(Section, frozen=True):
    """How a client proves that it may connect."""

    # `token` and `password` differ in the words of a refusal.
    mode: Annotated[
        Literal["token", "password", "none", "trusted-proxy"],
        Meta(
            description="How a client authenticates: by a secret (`token` and `password` are "
            "the same), not at all (`none`, on loopback only), or by a proxy that "
            "has logged it in (`trusted-proxy`)."
        ),
    ] = "token"
    # There is no default: a gateway without a secret is open to all.
    token: Annotated[
        Text | SecretRef | None,
        Meta(
            description="The secret of clients, as text or a reference; without it "
            "`TRUNKLINE_GATEWAY_TOKEN`, and without both the gateway does not start."
        ),
    ] = None
    password: Annotated[
        Text | SecretRef | None,
        Meta(
            description="A second secret that is accepted in the same place, for clients that "
            "only support passwords; without it none."
        ),
    ] = None
    trusted_proxy: Annotated[
        TrustedProxyConfig,
        Meta(description='What a reverse proxy must send with `mode: "trusted-proxy"`.'),
    ] = TrustedProxyConfig()
    rate_limit: Annotated[
        RateLimitConfig, Meta(description="How many wrong secrets one address may send.")
    ] = RateLimitConfig()
