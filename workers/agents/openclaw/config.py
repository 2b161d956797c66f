"""Defines the fields of one ``openclaw`` agent, and the address of a gateway. Pure."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ipc.hosts import is_address, wrong_address
from workers.agent import LOCAL
from workers.agents.answers import DEFAULT_ANSWER_BYTES, AnswerBytes
from workers.media.addresses import is_public

AgentId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
GatewaySecret = Annotated[str, Meta(min_length=1, max_length=4096)]


class OpenClawConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One agent of another gateway. The secrets are sent to ``url``."""

    url: Annotated[
        str,
        LOCAL,
        Meta(
            description="The WebSocket address of the other gateway, to which the secret is sent."
        ),
    ]
    token: Annotated[
        GatewaySecret | None,
        Meta(description="The token of that gateway; without it the password, or none."),
    ] = None
    password: Annotated[
        GatewaySecret | None,
        Meta(
            description="The password of that gateway, if it has one instead of a token; "
            "without it none."
        ),
    ] = None
    allow_plain: Annotated[
        bool,
        LOCAL,
        Meta(
            description="Whether the secret may be sent without encryption (`ws://`) beyond "
            "this host and its networks."
        ),
    ] = False
    agent_id: Annotated[AgentId, Meta(description="The agent of that gateway that answers.")] = (
        "main"
    )
    instructions: Annotated[
        str,
        Meta(max_length=65_536),
        Meta(description="Instructions that are sent with each turn; empty: none."),
    ] = ""
    follow_resets: Annotated[
        bool, Meta(description="Whether a new conversation here begins a new one there.")
    ] = True
    images: Annotated[bool, Meta(description="Whether images that people send are passed on.")] = (
        True
    )
    connect_seconds: Annotated[
        float,
        Meta(ge=0.1, le=300),
        Meta(description="Seconds that the connection to that gateway may take."),
    ] = 10.0
    away_seconds: Annotated[
        float,
        Meta(ge=0, le=3600),
        Meta(description="Seconds without a connection to that gateway after which a turn fails."),
    ] = 120.0
    max_answer_bytes: AnswerBytes = DEFAULT_ANSWER_BYTES

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        if wrong := wrong_gateway(self.url, self.allow_plain):
            raise ValueError(f"url {wrong}")
        if self.token is not None and self.password is not None:
            raise ValueError("password and token must not both be set: a gateway has one of them")


def wrong_gateway(url: str, allow_plain: bool) -> str | None:
    """Return what is wrong with the URL of a gateway; ``None`` if nothing is."""
    if wrong := wrong_address(url, ("wss", "ws"), query=False):
        return wrong
    parts = urlsplit(url)
    if parts.scheme == "ws" and not allow_plain and not _is_near(parts.hostname or ""):
        return "must begin with wss://: ws:// sends the secret unencrypted (or allowPlain: true)"
    return None


def _is_near(host: str) -> bool:
    """Return whether a host is this host or has a private address."""
    return host == "localhost" or (is_address(host) and not is_public(host))
