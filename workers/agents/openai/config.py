"""Defines the fields of one ``openai`` agent. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

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
from workers.web.addresses import wrong_root

DEFAULT_BASE = "https://api.openai.com/v1"


class OpenAIConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One model behind an endpoint. The key is sent to ``base_url``."""

    model: Annotated[
        str,
        Meta(min_length=1, max_length=256),
        Meta(description="The model, as the endpoint calls it."),
    ]
    base_url: Annotated[
        str,
        LOCAL,
        Meta(description="The endpoint of the OpenAI-compatible API, to which the key is sent."),
    ] = DEFAULT_BASE
    api_key: Annotated[
        Annotated[str, Meta(min_length=1, max_length=4096)] | None,
        Meta(description="The key of the endpoint; without it none is sent, for local servers."),
    ] = None
    instructions: Annotated[Instructions, Meta(description="The system message; empty: none.")] = ""
    history_messages: HistoryMessages = 40
    history_tokens: HistoryTokens = 8000
    temperature: Annotated[
        Annotated[float, Meta(ge=0, le=2)] | None,
        Meta(description="The sampling temperature, 0 to 2; without it the endpoint's default."),
    ] = None
    max_tokens: Annotated[
        Annotated[int, Meta(ge=1, le=10_000_000)] | None,
        Meta(description="Tokens of one answer at most; without it the endpoint's default."),
    ] = None
    max_tokens_field: Annotated[
        Literal["max_tokens", "max_completion_tokens"] | None,
        Meta(
            description="The endpoint's name of that limit; without it the newer one for OpenAI "
            "and the older one for others."
        ),
    ] = None
    stream: Annotated[bool, Meta(description="Whether the answer is requested as a stream.")] = True
    stream_usage: Annotated[
        bool,
        Meta(
            description="Whether the token counts of a streamed answer are requested, which "
            "some servers refuse."
        ),
    ] = True
    images: Annotated[
        bool, Meta(description="Whether images that people send are shown to the model.")
    ] = True
    connect_seconds: Annotated[
        float,
        Meta(ge=0.1, le=300),
        Meta(description="Seconds that the connection to the endpoint may take."),
    ] = 10.0
    silent_seconds: SilentSeconds = 120.0
    max_answer_bytes: AnswerBytes = DEFAULT_ANSWER_BYTES

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        if wrong := wrong_root(self.base_url):
            raise ValueError(f"baseUrl {wrong}, like {DEFAULT_BASE}")
        if self.api_key is not None and not (
            self.api_key.isascii() and self.api_key.isprintable() and " " not in self.api_key
        ):
            raise ValueError("apiKey must be printable ASCII without spaces and line ends")

    @property
    def limit_field(self) -> str:
        """The request's name for ``max_tokens``: OpenAI's own models accept the newer name only."""
        usual = "max_completion_tokens" if self.base_url == DEFAULT_BASE else "max_tokens"
        return self.max_tokens_field or usual
