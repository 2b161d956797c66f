"""Defines the fields of one ``command`` agent. Pure."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ipc.hidden_fields import hide_fields
from workers.agent import LOCAL
from workers.agents.answers import (
    DEFAULT_ANSWER_BYTES,
    AnswerBytes,
    HistoryMessages,
    HistoryTokens,
    Instructions,
)

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


@hide_fields("command", "env")
class CommandConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One program. No shell reads ``command``, and no text of a message becomes part of it."""

    command: Annotated[
        str | list[str],
        LOCAL,
        Meta(description="The program and its arguments, run for each turn, without a shell."),
    ]
    cwd: Annotated[
        Annotated[str, LOCAL] | None,
        Meta(
            description="The directory in which it runs, an absolute path or one that begins "
            "with `~/`; without it the agent's own."
        ),
    ] = None
    env: Annotated[
        dict[str, str],
        LOCAL,
        Meta(description="Environment variables that it gets beside the inherited ones."),
    ] = {}
    inherit_env: Annotated[
        list[str],
        LOCAL,
        Meta(
            description="Names of the daemon's environment variables that it gets; the default "
            "contains what most programs need, and no secret."
        ),
    ] = msgspec.field(default_factory=USUAL_ENV.copy)
    input: Annotated[
        Literal["text", "json"],
        Meta(
            description="What it reads on its standard input: the text of the prompt, or the "
            "turn as JSON."
        ),
    ] = "text"
    output: Annotated[
        Literal["text", "jsonl"],
        Meta(description="What it prints: the text of the answer, or events as lines of JSON."),
    ] = "text"
    instructions: Annotated[
        Instructions, Meta(description="Text before each prompt; empty: none.")
    ] = ""
    history_messages: HistoryMessages = 40
    history_tokens: HistoryTokens = 8000
    kill_after_seconds: Annotated[
        float,
        Meta(ge=0, le=30),
        Meta(description="Seconds between SIGTERM and SIGKILL when a turn is cancelled."),
    ] = 3.0
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
                shown = wrong[0].partition("=")[0] + ("=…" if "=" in wrong[0] else "")
                raise ValueError(f"{field} has {shown!r}, which is not the name of a variable")
        if self.cwd is not None and not self.cwd.startswith(("/", "~/")):
            raise ValueError("cwd must be an absolute path (/… or ~/…)")


def words_of(command: Any) -> list[str]:
    """Return the program and its arguments; a string is split like a shell command line.

    Raises ``ValueError`` for an unclosed quote.
    """
    if isinstance(command, str):
        return shlex.split(command)
    return [str(word) for word in command] if isinstance(command, list) else []
