"""Translates configurations of OpenClaw for tests, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ops.openclaw.draft import Draft, plain
from ops.openclaw.translation import inline_variables, translate
from ops.openclaw.variables import Variables
from runtime.config.check import join

CHANNELS = ("discord", "irc", "local", "slack", "telegram", "webhook")
NEW_TOKEN = "new-token"


class Translated(NamedTuple):
    """The translated configuration, and the notes about each place of the original, by group."""

    config: dict[str, Any]
    taken: dict[str, str]
    changed: dict[str, str]
    left: dict[str, str]


def translated(
    values: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
) -> Translated:
    """Return the translation of a configuration, before the check of the result."""
    variables = Variables(environ or {}, dotenv or {}, inline_variables(values))
    return shown(translate(values, variables, CHANNELS, NEW_TOKEN))


def shown(draft: Draft) -> Translated:
    """Return a draft as tests compare it."""
    groups: dict[str, dict[str, str]] = {"taken": {}, "changed": {}, "left": {}}
    for note in draft.notes:
        groups[note.group][note.path] = note.reason
    return Translated(plain(draft.config), **groups)


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Yield the place of each value without inner values, including empty objects and lists."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from leaves(each, join(path, name))
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield from leaves(each, f"{path}[{number}]")
    elif path:
        yield path


def notes_of(draft: Draft, leaf: str) -> list[str]:
    """Return the notes that name a value of the original, alone or with its section."""
    return [
        note.path
        for note in draft.notes
        if leaf == note.path or leaf.startswith((f"{note.path}.", f"{note.path}["))
    ]
