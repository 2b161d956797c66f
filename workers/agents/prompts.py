"""Writes a turn as text for a model: the history within a window, names, files. Pure.

Tokens are estimated, because each model counts them differently: four bytes of UTF-8 are one,
and an entry costs four more. That is about right for English and too high for other languages.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.agent import HistoryItem, Turn
from workers.messages import Attachment

BYTES_OF_A_TOKEN = 4
TOKENS_OF_AN_ENTRY = 4


def tokens_of(text: str) -> int:
    """Return the estimated number of tokens of one entry."""
    return -(-len(text.encode(errors="replace")) // BYTES_OF_A_TOKEN) + TOKENS_OF_AN_ENTRY


def window(
    history: Sequence[HistoryItem], entries: int, tokens: int, *, calls: bool = False
) -> list[HistoryItem]:
    """Return the end of a history: at most ``entries`` entries and ``tokens`` estimated tokens.

    Notices are left out, and so are entries without text, except tool calls and results if
    ``calls``. It begins with a person's message, as models expect, unless there is none.
    """
    kept: list[HistoryItem] = []
    left = tokens
    for item in reversed(history):
        if item.role == "notice" or not (item.text or (calls and (item.calls or item.call))):
            continue
        left -= tokens_of(entry_text(item))
        left -= sum(tokens_of(f"{each.name}{each.arguments}") for each in item.calls)
        if left < 0 or len(kept) == entries:
            break
        kept.append(item)
    kept.reverse()
    first = next((at for at, item in enumerate(kept) if item.role == "user"), 0)
    return kept[first:]


def entry_text(item: HistoryItem) -> str:
    """Return an entry of the history as text for a model, with the sender's name if it has one."""
    if item.role == "tool":
        return f"[result of {item.name or 'a tool'}] {item.text}"
    return f"{item.name}: {item.text}" if item.name and item.role == "user" else item.text


def turn_text(turn: Turn, files: Sequence[Attachment] | None = None) -> str:
    """Return the text of a turn; in a group the sender's name precedes it. Files are named.

    ``files``: the files to name, if not all; the model gets the content of the others.
    """
    text = turn.text
    in_a_group = turn.chat is not None and turn.chat.kind == "group"
    if text and in_a_group and turn.sender is not None and turn.sender.name:
        text = f"{turn.sender.name}: {text}"
    named = [name_of(each) for each in (turn.attachments if files is None else files)]
    return "\n".join(filter(None, [text, *named]))


def name_of(file: Attachment) -> str:
    """Return a line that stands for a file whose content is not sent."""
    shown = ", ".join(filter(None, [file.name, file.mime_type])) or "without a name"
    return f"[file: {shown}]" if file.url else f"[file that did not arrive: {shown}]"


def instructions_of(own: str, turn: Turn) -> str:
    """Return the instructions of an agent, followed by those of the caller."""
    return "\n\n".join(filter(None, [own, turn.instructions]))
