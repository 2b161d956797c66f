"""Parses directives to the gateway in an agent's answer: tags and the word for silence. Pure.

At the beginning of an answer, and nowhere else:

    [[reply_to_current]]    the answer is a reply to the message that it answers
    [[reply_to:<id>]]       it is a reply to another message
    [[audio_as_voice]]      its sound files are voice messages

``NO_REPLY`` instead of an answer is silence, where ``session.silentReply.group`` allows it in
groups. Elsewhere nobody is left without an answer.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

SILENT_TOKEN = "NO_REPLY"  # noqa: S105 - a word of agents
MAX_TAG = 530  # characters: an id has 512 at most

_TAG = re.compile(
    r"\[\[\s{0,8}(?:(reply_to_current)|(audio_as_voice)|reply_to\s{0,8}:\s{0,8}"
    r"([^\s\[\]][^\[\]\n]{0,511}?))\s{0,8}\]\]"
)


class AgentReply(msgspec.Struct, frozen=True):
    """An answer as it is to be sent.

    ``kind``: there is one, it is meant to be none, or there is nothing of which one could be made
    (then the person reads ``error_text("empty")``). ``reason`` says why, and what was left out.
    """

    kind: Literal["answer", "silent", "empty"]
    text: str
    reason: str
    reply_to: str | None = None
    voice: bool = False


def read_reply(
    text: str,
    *,
    current: str | None,
    group: bool,
    silent_groups: bool,
    files: bool = False,
) -> AgentReply:
    """Parse an agent's answer: return its text without tags, and what the tags say.

    ``current`` is the id of the message that is answered; ``silent_groups``: silence is allowed in
    groups; ``files``: something goes with the text, which may then be empty.
    """
    rest, tags = _tagged(text)
    asked = next((each for each in tags if each != "audio_as_voice"), None)
    reply_to = current if asked == "reply_to_current" else asked
    voice = "audio_as_voice" in tags
    body, was_silent = _spoken(rest)
    if body or files:
        reason = f"{SILENT_TOKEN} was left out" if was_silent else "it is an answer"
        return AgentReply("answer", body, reason, reply_to, voice)
    if was_silent and group and silent_groups:
        return AgentReply("silent", "", "the agent keeps silent, and may in groups")
    if was_silent:
        where = "session.silentReply.group is disallow" if group else "it is a direct chat"
        return AgentReply("empty", "", f"the agent may not keep silent: {where}")
    return AgentReply("empty", "", "the agent's answer has no text")


def shown_so_far(text: str) -> str:
    """Return the part of an unfinished answer that a preview shows.

    Tags do not appear, nor does anything that may still become a tag or the word for silence.
    """
    rest, _ = _tagged(text)
    if (
        rest.startswith("[")
        and "]]" not in rest
        and len(rest) <= MAX_TAG
        and "[[".startswith(rest[:2])
    ):
        return ""
    body = rest.rstrip()
    before, _, last = body.rpartition("\n")
    if not SILENT_TOKEN.startswith(_bare(last)):
        return body  # a long answer is looked at again and again, and is not copied for that
    if "\n" not in before and SILENT_TOKEN.startswith(_bare(before)):
        return ""
    return before.rstrip()


def shown_answer(text: str) -> str | None:
    """Return a complete answer as clients see it; ``None`` if it was only the word for silence."""
    body, was_silent = _spoken(_tagged(text)[0])
    return None if was_silent and not body else body


def _tagged(text: str) -> tuple[str, list[str]]:
    """Return a text without the tags at its beginning, and the tags."""
    tags = []
    rest = text.lstrip()
    while (found := _TAG.match(rest)) is not None:
        current, voice, other = found.groups()
        tags.append(current or voice or other)
        rest = rest[found.end() :].lstrip()
    return rest, tags


def _spoken(text: str) -> tuple[str, bool]:
    """Return a text without lines that are the word for silence, and whether there were any."""
    lines = text.strip().split("\n")
    silent = False
    for at in (0, -1):
        while lines and _is_silence(lines[at]):
            del lines[at]
            silent = True
    return "\n".join(lines).strip(), silent


def _is_silence(line: str) -> bool:
    return _bare(line) == SILENT_TOKEN


def _bare(line: str) -> str:
    return line.strip().strip("*`.\"'")
