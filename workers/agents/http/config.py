"""Defines the fields of one ``http`` agent. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from workers.agent import LOCAL
from workers.agents.answers import (
    DEFAULT_ANSWER_BYTES,
    AnswerBytes,
    HistoryMessages,
    HistoryTokens,
    Instructions,
    SilentSeconds,
)
from workers.web.addresses import wrong_url
from workers.web.signing import keys_of

SignatureSecret = Annotated[str, Meta(min_length=1, max_length=256)]


class HttpAgentConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One server. Both secrets sign each turn, so that the server may know either one of them."""

    url: Annotated[str, LOCAL, Meta(description="The address to which each turn is posted.")]
    secret: Annotated[
        SignatureSecret, Meta(description="The secret (`whsec_…`) that signs each turn.")
    ]
    previous_secret: Annotated[
        SignatureSecret | None,
        Meta(
            description="A former secret that also signs each turn, until the server uses the "
            "new one; without it none."
        ),
    ] = None
    allow_private: Annotated[
        bool, LOCAL, Meta(description="Whether `url` may lead to this host or its own networks.")
    ] = False
    instructions: Annotated[
        Instructions, Meta(description="Instructions that are sent with each turn; empty: none.")
    ] = ""
    history_messages: HistoryMessages = 40
    history_tokens: HistoryTokens = 8000
    connect_seconds: Annotated[
        float,
        Meta(ge=0.1, le=300),
        Meta(description="Seconds that the connection to the server may take."),
    ] = 10.0
    silent_seconds: SilentSeconds = 120.0
    max_answer_bytes: AnswerBytes = DEFAULT_ANSWER_BYTES

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        keys_of(self.secret, self.previous_secret)
        if wrong := wrong_url(self.url, self.allow_private):
            raise ValueError(f"url {wrong}")

    @property
    def keys(self) -> list[bytes]:
        """The signing keys, the current one first."""
        return keys_of(self.secret, self.previous_secret)
