"""Parses and writes Slack's mrkdwn. Pure.

``&``, ``<`` and ``>`` are written as entities. ``<…>`` is a link or a mention of a person, a
channel, a group of people or everybody.
"""

from __future__ import annotations

import re

import msgspec

_CONTROL = re.compile(r"<([^<>\s][^<>\n]*)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # in the order of decoding
# What Slack shows formatted in an escaped text, and as an emoji even in one without markup. Neither
# can match one text in two ways: trying them all would take a long text's length squared.
_FORMATTED = re.compile(r"[*_~`]|^[^\S\n]*&gt;", re.MULTILINE)
_EMOJI_NAME = re.compile(r":(?:[+-]1|100|1234|[0-9_+'-]*[a-z][a-z0-9_+'-]*):", re.IGNORECASE)
_CODE_FENCE = "```"


class ReadText(msgspec.Struct):
    """The text of a message as people see it, with its mentions and links.

    ``names`` are names of people by their ids, as they occur in the text.
    """

    text: str = ""
    mentions: list[str] = msgspec.field(default_factory=list)
    names: dict[str, str] = msgspec.field(default_factory=dict)
    links: list[dict[str, str]] = msgspec.field(default_factory=list)


def read(marked: str) -> ReadText:
    """Parse a text in mrkdwn."""
    found = ReadText()
    if "<" not in marked:
        found.text = unescape(marked)
        return found
    at, parts = 0, []
    for control in _CONTROL.finditer(marked):
        parts += [unescape(marked[at : control.start()]), _read_control(control[1], found)]
        at = control.end()
    found.text = "".join([*parts, unescape(marked[at:])])
    return found


def unescape(text: str) -> str:
    """Return a text without the entities of its three special characters."""
    if "&" not in text:
        return text
    for entity, char in _ENTITIES:
        text = text.replace(entity, char)
    return text


def names_emoji(text: str) -> bool:
    """Return whether a text has something like ``:smile:`` that Slack would show as an emoji."""
    return _EMOJI_NAME.search(text) is not None


def is_formatted(text: str) -> bool:
    """Return whether an escaped text would be shown with formatting if read as mrkdwn."""
    return _FORMATTED.search(text) is not None or names_emoji(text)


def cut_plain(text: str, limit: int) -> list[str]:
    """Split a text without markup into pieces of at most ``limit`` characters."""
    pieces: list[str] = []
    while len(text) > limit:
        at = max(text.rfind("\n", 1, limit), 0) or max(text.rfind(" ", 1, limit), 0) or limit
        pieces.append(text[:at])
        text = text[at:].removeprefix("\n")
    return [*pieces, text] if text else pieces


def cut(text: str, limit: int) -> list[str]:
    """Split a rendered text into pieces of at most ``limit`` characters.

    It is cut after a line, else after a word; a code fence is closed and reopened; a link or
    mention is divided only if it is longer than ``limit``.
    """
    pieces: list[str] = []
    opened = ""  # what opens the fence again that the last piece was cut in
    while len(opened) + len(text) > limit:
        at = _place_to_cut(text, limit - len(opened) - len(_CODE_FENCE) - 1)
        piece, text = opened + text[:at], text[at:].removeprefix("\n")
        opened = f"{_CODE_FENCE}\n" if piece.count(_CODE_FENCE) % 2 else ""
        pieces.append(f"{piece}\n{_CODE_FENCE}" if opened else piece)
    return [*pieces, opened + text] if text else pieces


def _place_to_cut(text: str, room: int) -> int:
    """Return where to cut a text, at least after its first character."""
    at = max(text.rfind("\n", 1, room), 0) or max(text.rfind(" ", 1, room), 0) or room
    for opening, closing in (("<", ">"), ("&", ";")):
        begun = text.rfind(opening, 0, at)
        if begun > 0 and closing not in text[begun:at] and closing in text[at : at + room]:
            at = begun
    marks = len(text[:at]) - len(text[:at].rstrip("`"))
    return at - marks if text[at : at + 1] == "`" and 0 < marks < at else at


def _read_control(control: str, found: ReadText) -> str:
    """Return the visible text of a ``<…>``; note what it mentions."""
    target, _, label = control.partition("|")
    label = unescape(label)
    match target[:1]:
        case "@":
            name = f"@{(label or target[1:]).removeprefix('@')}"
            found.mentions.append(target[1:])
            found.names[target[1:]] = name
            return name
        case "#":
            return f"#{(label or target[1:]).removeprefix('#')}"
        case "!":
            return _read_special(target[1:], label, found)
    url = unescape(target)
    if not label or label == url.removeprefix("mailto:") or label == url:
        return label or url
    found.links.append({"text": label, "url": url})
    return label


def _read_special(name: str, label: str, found: ReadText) -> str:
    kind, _, rest = name.partition("^")
    if kind == "subteam":
        found.mentions.append(rest.partition("^")[0])
    if kind in ("here", "channel", "everyone"):
        return f"@{kind}"
    return label or kind
