"""Defines the fields of one ``webhook`` account. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from workers.plugin import LOCAL
from workers.web.addresses import wrong_url
from workers.web.signing import keys_of

Secret = Annotated[str, Meta(min_length=1, max_length=256)]


class WebhookConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One peer. ``secret`` signs outgoing messages; incoming ones may have either secret."""

    secret: Annotated[
        Secret,
        Meta(description="The secret (`whsec_…`) that signs messages in both directions."),
    ]
    previous_secret: Annotated[
        Secret | None,
        Meta(
            description="A former secret that is still accepted, and also signs outgoing "
            "messages, until the peer uses the new one; without it none."
        ),
    ] = None
    url: Annotated[
        Annotated[str, LOCAL] | None,
        Meta(
            description="The address to which messages are posted; without it the account only "
            "receives."
        ),
    ] = None
    allow_private: Annotated[
        bool, LOCAL, Meta(description="Whether `url` may lead to this host or its own networks.")
    ] = False
    tolerance_seconds: Annotated[
        int,
        Meta(ge=1, le=86_400),
        Meta(
            description="Seconds by which the time of a signature may differ from the local clock."
        ),
    ] = 300
    timeout_seconds: Annotated[
        float,
        Meta(ge=0.1, le=100),
        Meta(description="Seconds that the peer has to answer a posted message."),
    ] = 15.0

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        keys_of(self.secret, self.previous_secret)
        if self.url is not None and (wrong := wrong_url(self.url, self.allow_private)):
            raise ValueError(f"url {wrong}")

    @property
    def keys(self) -> list[bytes]:
        """The signing keys, the current one first."""
        return keys_of(self.secret, self.previous_secret)
