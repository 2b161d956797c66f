"""Writes a turn for the stdin of a program, and decides what its exit status means. Pure."""

from __future__ import annotations

import msgspec

from workers.agent import HistoryItem, Turn
from workers.agents.answers import BrokenAnswer, shown
from workers.agents.command.config import CommandConfig
from workers.agents.prompts import entry_text, instructions_of, turn_text, window
from workers.errors import (
    EXIT_CONFIG,
    EXIT_NEEDS_LOGIN,
    EXIT_TEMPORARY,
    Misconfigured,
    NeedsLogin,
    Transient,
    TurnRefused,
)

# By sysexits(3), as accounts end, and by what a shell answers for a program that it cannot start.
EXITS: dict[int, type[Exception]] = {
    65: TurnRefused,
    69: Transient,
    EXIT_TEMPORARY: Transient,
    EXIT_NEEDS_LOGIN: NeedsLogin,
    EXIT_CONFIG: Misconfigured,
    126: Misconfigured,
    127: Misconfigured,
}
_encode = msgspec.json.Encoder().encode


def prompt_of(config: CommandConfig, turn: Turn) -> bytes:
    """Return the input of the program: the turn as a line of JSON, or as plain text.

    Plain text is the instructions, the history and the message to answer, each only if there is
    one: a first message without instructions is the message alone.
    """
    history = window(turn.history, config.history_messages, config.history_tokens)
    instructions = instructions_of(config.instructions, turn)
    if config.input == "json":
        cut = msgspec.structs.replace(turn, history=history, instructions=instructions or None)
        return _encode(cut) + b"\n"
    parts = [instructions] if instructions else []
    if history:
        lines = "\n".join(map(_line, history))
        parts.append(f"What was said before:\n{lines}\n\nAnswer this:")
    parts.append(turn_text(turn))
    return "\n\n".join(parts).encode(errors="replace") + b"\n"


def _line(item: HistoryItem) -> str:
    if item.role == "assistant":
        return f"Assistant: {item.text}"
    return entry_text(item) if item.name or item.role == "tool" else f"User: {item.text}"


def variables_of(turn: Turn) -> dict[str, str]:
    """Return the environment variables that describe the turn to the program."""
    found = {
        "TRUNKLINE_TURN": turn.run,
        "TRUNKLINE_SESSION": turn.session,
        "TRUNKLINE_AGENT": turn.agent,
        "TRUNKLINE_ACCOUNT": turn.account or "",
        "TRUNKLINE_DEADLINE": str(turn.deadline),
    }
    return {name: value.replace("\0", "") for name, value in found.items()}


def failure_of_exit(code: int, last_words: str) -> Exception:
    """Return the exception for an exit status other than 0; ``last_words`` come from stderr."""
    how = f"status {code}" if code > 0 else f"signal {-code}"
    text = f"the program ended with {how}"
    if last_words:
        text = f"{text}: {shown(last_words)}"
    return EXITS.get(code, BrokenAnswer)(text)
