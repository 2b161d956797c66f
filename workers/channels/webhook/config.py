"""Define the fields of one ``webhook`` account. Pure."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ipc.hosts import is_address
from workers.channels.webhook.signing import key_of
from workers.media.addresses import is_public
from workers.plugin import LOCAL

Secret = Annotated[str, Meta(min_length=1, max_length=256)]


class WebhookConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One peer. ``secret`` signs what goes out, each of the two is taken for what comes in."""

    secret: Secret
    previous_secret: Secret | None = None
    url: Annotated[str, LOCAL] | None = None
    allow_private: Annotated[bool, LOCAL] = False  # networks of this host count as destinations
    tolerance_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 300
    timeout_seconds: Annotated[float, Meta(ge=0.1, le=100)] = 15.0

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        for name, secret in (("secret", self.secret), ("previousSecret", self.previous_secret)):
            try:
                key_of(secret or self.secret)
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
        if self.url is not None and (wrong := wrong_url(self.url, self.allow_private)):
            raise ValueError(f"url {wrong}")

    @property
    def keys(self) -> list[bytes]:
        """The keys of the signatures, the present one first."""
        given = [self.secret, self.previous_secret]
        return [key_of(secret) for secret in given if secret is not None]


def wrong_url(url: str, allow_private: bool) -> str | None:
    """Return what is wrong with the address that messages go to; ``None`` when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be an address like https://example.com/hook"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "must begin with https:// (or http://) and name a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or a password: the signature is what proves who sends"
    if parts.fragment or any(char.isspace() for char in url):
        return "must be an address without # and spaces"
    if not allow_private and is_address(parts.hostname) and not is_public(parts.hostname):
        return "is an address of this host or its networks, which needs allowPrivate: true"
    return None
