"""Translates OpenClaw's lists of people and ids of groups. Pure.

Trunkline identifies people and groups only by the platform's ids. Entries that are not ids are left
out, so a list admits fewer people than before, never more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from runtime.config.access_policy import EVERYONE, UNVERIFIED

_PREFIXES = {
    "telegram": re.compile(r"(?:telegram|tg):", re.IGNORECASE),
    "discord": re.compile(r"(?:discord:)?(?:user:)?", re.IGNORECASE),
    "slack": re.compile(r"(?:slack:)?(?:user:)?", re.IGNORECASE),
    "irc": re.compile(r"irc:", re.IGNORECASE),
}
_PEOPLE = {
    "telegram": re.compile(r"\d{1,20}\Z"),
    "discord": re.compile(r"<?@?!?(\d{1,20})>?\Z"),
    "slack": re.compile(r"[UW][A-Z0-9]{2,}\Z"),
    "irc": re.compile(r"[^\s!@,*?]+\Z"),
}
_GROUPS: Mapping[str, Callable[[str], bool]] = {
    "telegram": lambda group: bool(re.match(r"-?\d{1,20}\Z", group)),
    "discord": str.isdecimal,
    "slack": lambda group: bool(re.match(r"[CG][A-Z0-9]{2,}\Z", group)),
    "irc": lambda group: group[:1] in "#&+!",
}


def person(channel: str, entry: object, *, forgeable: bool = False) -> str | int | None:
    """Translate an entry of a list; ``None`` if it is not an id.

    With ``forgeable`` an IRC nick admits anybody who uses it, as in OpenClaw with
    ``dangerouslyAllowNameMatching``. Without it, and in a mask, a nick alone admits nobody.
    """
    if channel != "irc" and isinstance(entry, int) and not isinstance(entry, bool):
        return entry
    if not isinstance(entry, str):
        return None
    text = entry.strip()
    if text == EVERYONE:
        return EVERYONE
    if prefix := _PREFIXES[channel].match(text):
        text = text[prefix.end() :]
    found = _PEOPLE[channel].match(text)
    if found is None or (channel == "irc" and not forgeable):
        return None
    name = found[found.lastindex or 0]
    return f"{UNVERIFIED}{name}" if channel == "irc" else name


def people(
    channel: str, entries: Iterable[object], *, forgeable: bool = False
) -> tuple[list[str | int], list[str]]:
    """Translate a list; return it and the entries that are left out."""
    kept: list[str | int] = []
    lost: list[str] = []
    for entry in entries:
        named = person(channel, entry, forgeable=forgeable)
        if named is None:
            lost.append(str(entry))
        else:
            kept.append(named)
    return kept, lost


def is_group(channel: str, id: str) -> bool:
    """Return whether ``id`` is the id of a group, server or room, or ``*`` for all others."""
    return id == EVERYONE or _GROUPS[channel](id)
