"""Define the fields of one ``openclaw`` agent, and the address of a gateway. Pure."""

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
    """One agent of a gateway elsewhere. The secrets are sent to ``url``."""

    url: Annotated[str, LOCAL]
    token: GatewaySecret | None = None
    password: GatewaySecret | None = None
    allow_plain: Annotated[bool, LOCAL] = False  # the secrets may cross the internet as they are
    agent_id: AgentId = "main"
    instructions: Annotated[str, Meta(max_length=65_536)] = ""
    follow_resets: bool = True  # a new conversation here begins another one there
    images: bool = True
    connect_seconds: Annotated[float, Meta(ge=0.1, le=300)] = 10.0
    away_seconds: Annotated[float, Meta(ge=0, le=3600)] = 120.0  # without a session to the gateway
    max_answer_bytes: AnswerBytes = DEFAULT_ANSWER_BYTES

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        if wrong := wrong_gateway(self.url, self.allow_plain):
            raise ValueError(f"url {wrong}")
        if self.token is not None and self.password is not None:
            raise ValueError("password must not be there beside token: a gateway has one of them")


def wrong_gateway(url: str, allow_plain: bool) -> str | None:
    """Return what is wrong with the address of a gateway; ``None`` when nothing is."""
    if wrong := wrong_address(url, ("wss", "ws"), query=False):
        return wrong
    parts = urlsplit(url)
    if parts.scheme == "ws" and not allow_plain and not _is_near(parts.hostname or ""):
        return "must begin with wss://, for ws:// shows the secret on the way (or allowPlain: true)"
    return None


def _is_near(host: str) -> bool:
    """Return whether a host is this one, or an address of its own networks."""
    return host == "localhost" or (is_address(host) and not is_public(host))
