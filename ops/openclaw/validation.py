"""Removes values from an imported configuration that our own check refuses.

So the written file is valid, and each removed value is noted with the check's reason.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ipc.secret_patterns import without_secrets
from ops.openclaw.draft import Draft, Note, Target, path_of, plain
from runtime.config.errors import ConfigError, Problem
from runtime.config.load import NO_FLAGS, load_effective
from runtime.config.places import Places
from runtime.config.text.json5_edit import render

CLOSED = {  # of channels: without a list all may talk, without the others more than before
    **{name: [] for name in ("allowFrom", "groupAllowFrom", "users", "roles")},
    **dict.fromkeys(("dmPolicy", "groupPolicy"), "allowlist"),
    "enabled": False,
}
DEFAULT_AGENT = ("agents", "default")  # without it echo would answer
NOBODY = "CLOSED: nobody until you correct it"
HEAD = """\
// Made by `trunkline import openclaw` of {source}.
// `trunkline config validate` checks a change.
"""
_LISTS = re.compile(r"(bindings|hooks\.mappings)\[(\d+)\]")


def text_of(draft: Draft, source: Path) -> str:
    """Return the text of our file."""
    return HEAD.format(source=str(source).replace("\n", " ")) + render(plain(draft.config)) + "\n"


def prune(draft: Draft, places: Places, source: Path) -> str:
    """Remove what our check refuses; return the text of the rest.

    Raises ``ConfigError`` if removing values cannot make it valid.
    """
    while True:
        text = text_of(draft, source)
        try:
            load_effective(places, {}, NO_FLAGS, text)
        except ConfigError as error:
            if not [each for each in error.problems if _withdraw(draft, each)]:
                raise
        else:
            return text


def _withdraw(draft: Draft, problem: Problem) -> bool:
    """Remove the value that a problem is about; return whether there was one."""
    place = _own_place(draft, problem.path)
    reason = f"Trunkline refuses it: {without_secrets(str(problem), '…')}"
    exact = [note for note in draft.notes if note.target and _is_at(place, note.place)]
    for note in exact:
        closed = CLOSED.get(note.target[-1]) if note.target[0] == "channels" else None
        if closed is not None and draft.value(note.target) not in (None, closed):
            _replace(draft, note, closed, f"{reason}; {NOBODY}")
        elif note.target == DEFAULT_AGENT and draft.value(note.target) != "none":
            _replace(draft, note, "none", f"{reason}; nobody is answered until you name one")
        else:
            draft.withdraw(note, reason)
    while not exact and place:  # the problem is about something around our values
        inside = [note for note in draft.notes if note.target and _is_at(note.place, place)]
        if inside:
            for note in inside:
                draft.withdraw(note, reason)
            draft.remove(_prefix(inside[0].target, place))
            return True
        place = _outer(place)
    _drop_empty(draft)
    return bool(exact)


def _prefix(target: Target, place: str) -> Target:
    """Return the beginning of ``target`` that equals ``place``, or its first name."""
    for length in range(len(target), 0, -1):
        if path_of(target[:length]) == place:
            return target[:length]
    return target[:1]


def _outer(place: str) -> str:
    return re.sub(r"(\.|\[)[^.\[]*\Z", "", place) if re.search(r"[.\[]", place) else ""


def _replace(draft: Draft, note: Note, value: Any, reason: str) -> None:
    draft.notes.remove(note)
    draft.change(note.path, note.target, value, reason)


def _own_place(draft: Draft, path: str) -> str:
    """Return a problem's place, with the draft's names for list elements."""
    found = _LISTS.match(path)
    if found is None:
        return path
    target: Target = tuple(found[1].split("."))
    names = list(draft.value(target) or {})
    number = int(found[2])
    if number >= len(names):
        return path
    return path_of((*target, names[number])) + path[found.end() :]


def _is_at(place: str, around: str) -> bool:
    """Return whether a place is ``around`` or inside it."""
    return place == around or place.startswith((f"{around}.", f"{around}["))


def _drop_empty(draft: Draft) -> None:
    """Remove sections that have become empty."""
    for name in ("bindings", "hooks", "commands", "canvasHost", "logging", "cron"):
        if draft.config.get(name) == {}:
            del draft.config[name]
