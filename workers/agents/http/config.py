"""Define the fields of one ``http`` agent. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from workers.agent import LOCAL
from workers.agents.answers import DEFAULT_ANSWER_BYTES, AnswerBytes
from workers.web.addresses import wrong_url
from workers.web.signing import key_of

SignatureSecret = Annotated[str, Meta(min_length=1, max_length=256)]


class HttpAgentConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One server. Both secrets sign each turn, so that it may know either while one is replaced."""

    url: Annotated[str, LOCAL]
    secret: SignatureSecret
    previous_secret: SignatureSecret | None = None
    allow_private: Annotated[bool, LOCAL] = False  # networks of this host count as destinations
    instructions: Annotated[str, Meta(max_length=65_536)] = ""
    history_messages: Annotated[int, Meta(ge=0, le=1000)] = 40
    history_tokens: Annotated[int, Meta(ge=0, le=1_000_000)] = 8000  # as prompts.py estimates them
    connect_seconds: Annotated[float, Meta(ge=0.1, le=300)] = 10.0
    silent_seconds: Annotated[float, Meta(ge=0.1, le=3600)] = 120.0  # without a byte of the answer
    max_answer_bytes: AnswerBytes = DEFAULT_ANSWER_BYTES

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        for name, secret in (("secret", self.secret), ("previousSecret", self.previous_secret)):
            try:
                key_of(secret or self.secret)
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
        if wrong := wrong_url(self.url, self.allow_private):
            raise ValueError(f"url {wrong}")

    @property
    def keys(self) -> list[bytes]:
        """The keys of the signatures, the present one first."""
        given = [self.secret, self.previous_secret]
        return [key_of(secret) for secret in given if secret is not None]
