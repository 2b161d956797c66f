"""Define the fields of one ``command`` agent. Pure."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from workers.agent import LOCAL
from workers.agents.answers import DEFAULT_ANSWER_BYTES, AnswerBytes

# What most programs need, and no secret is in. HOME is where they keep their login.
USUAL_ENV = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class CommandConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One program. No shell reads ``command``, and nothing that people write stands in it."""

    command: Annotated[str | list[str], LOCAL]
    cwd: Annotated[str, LOCAL] | None = None  # by default the agent's own directory
    env: Annotated[dict[str, str], LOCAL] = {}
    inherit_env: Annotated[list[str], LOCAL] = msgspec.field(default_factory=USUAL_ENV.copy)
    input: Literal["text", "json"] = "text"
    output: Literal["text", "jsonl"] = "text"
    instructions: Annotated[str, Meta(max_length=65_536)] = ""
    history_messages: Annotated[int, Meta(ge=0, le=1000)] = 40
    history_tokens: Annotated[int, Meta(ge=0, le=1_000_000)] = 8000  # as prompts.py estimates them
    kill_after_seconds: Annotated[float, Meta(ge=0, le=30)] = 3.0
    max_answer_bytes: AnswerBytes = DEFAULT_ANSWER_BYTES

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the field."""
        try:
            words = words_of(self.command)
        except ValueError as error:
            raise ValueError(f"command must be a command line: {error}") from None
        if not words or not words[0]:
            raise ValueError("command must be a program and its arguments")
        if any("\0" in text for text in (*words, self.cwd or "", *self.env.values())):
            raise ValueError("command, cwd and env must not contain a NUL character")
        for field, names in (("env", self.env), ("inheritEnv", self.inherit_env)):
            if wrong := [name for name in names if not _NAME.match(name)]:
                raise ValueError(f"{field} has {wrong[0]!r}, which is no name of a variable")
        if self.cwd is not None and not self.cwd.startswith(("/", "~/")):
            raise ValueError("cwd must be an absolute path (/… or ~/…)")


def words_of(command: Any) -> list[str]:
    """Return program and arguments; a text is split as a shell splits words.

    Raises ``ValueError`` for a text with an open quote.
    """
    if isinstance(command, str):
        return shlex.split(command)
    return [str(word) for word in command] if isinstance(command, list) else []
