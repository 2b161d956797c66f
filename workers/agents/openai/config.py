"""Define the fields of one ``openai`` agent. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workers.agent import LOCAL
from workers.agents.answers import DEFAULT_ANSWER_BYTES, AnswerBytes
from workers.web.addresses import wrong_root

DEFAULT_BASE = "https://api.openai.com/v1"


class OpenAIConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One model behind an endpoint. The key is sent to ``base_url``."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    base_url: Annotated[str, LOCAL] = DEFAULT_BASE
    api_key: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    instructions: Annotated[str, Meta(max_length=65_536)] = ""
    history_messages: Annotated[int, Meta(ge=0, le=1000)] = 40
    history_tokens: Annotated[int, Meta(ge=0, le=1_000_000)] = 8000  # as prompts.py estimates them
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    stream: bool = True
    stream_usage: bool = True  # asks for the usage of a stream, which some servers refuse
    images: bool = True
    connect_seconds: Annotated[float, Meta(ge=0.1, le=300)] = 10.0
    silent_seconds: Annotated[float, Meta(ge=0.1, le=3600)] = 120.0  # without a byte of the answer
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
        """What the request calls ``max_tokens``: OpenAI's models take the newer name alone."""
        usual = "max_completion_tokens" if self.base_url == DEFAULT_BASE else "max_tokens"
        return self.max_tokens_field or usual
