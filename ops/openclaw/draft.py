"""Collects the configuration that an import makes, and what became of each value. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from ops.openclaw.variables import Variables, fill
from runtime.config.check import join

Group = Literal["taken", "changed", "left"]
_ITEM = re.compile(r"\[\d+\]\Z")  # of a list, which is an object until it is written
Target = tuple[str, ...]  # names from the top of our file to a field


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one value of the original, or of a part of it with all that is inside.

    ``path`` is its place in the original, ``target`` that in our file (empty: it is not there).
    """

    group: Group
    path: str
    target: Target = ()
    reason: str = ""

    @property
    def place(self) -> str:
        """The place in our file, as the configuration check names it."""
        return path_of(self.target)


class FieldPlace(msgspec.Struct, frozen=True):
    """Where a value of the original stands, and the object of our file that is made of its own."""

    path: str
    base: Target
    name: str

    def inside(self, name: str) -> FieldPlace:
        """Return the place of a field of the value, which becomes an object of our file."""
        return FieldPlace(join(self.path, name), (*self.base, self.name), name)


class Draft:
    """Our configuration in the making. Each value of the original is noted once."""

    def __init__(
        self, variables: Variables, secret_providers: Mapping[str, Any] | None = None
    ) -> None:
        self.config: dict[str, Any] = {}
        self.notes: list[Note] = []
        self.variables = variables
        self.secret_providers = secret_providers or {}
        self.used_variables: set[str] = set()  # those of ``env.vars`` that stand in our file now
        self.used_providers: set[str] = set()

    def take(self, path: str, target: Target, value: Any) -> None:
        """Put a value into our file as it is; one with variables is changed, as they are filled."""
        found = fill(value, self.variables)
        self.used_variables.update(found.inline)
        if found.missing:
            names = ", ".join(found.missing)
            self.leave(path, f"the variable {names} is not set: run the import where it is")
        elif found.used:
            reason = f"with the value of {', '.join(found.used)} written out"
            self.change(path, target, found.value, reason)
        else:
            self._put(target, found.value)
            self.notes.append(Note("taken", path, target))

    def change(self, path: str, target: Target, value: Any, reason: str) -> None:
        """Put another value into our file than stands in the original, or one where it has none."""
        self._put(target, value)
        self.notes.append(Note("changed", path, target, reason))

    def spread(self, path: str, targets: Sequence[Target], value: Any, reason: str) -> None:
        """Put one value of the original into several places of our file."""
        for number, target in enumerate(targets):
            where = path_of(target)
            self.change(f"{where} (not set)" if number else path, target, value, reason)

    def agree(self, path: str, reason: str) -> None:
        """Note a value that is so in Trunkline without being set."""
        self.notes.append(Note("taken", path, (), reason))

    def leave(self, path: str, reason: str) -> None:
        """Note a value that does not come along."""
        self.notes.append(Note("left", path, (), reason))

    def withdraw(self, note: Note, reason: str) -> None:
        """Take a value out of our file again."""
        self.notes[self.notes.index(note)] = Note("left", note.path, (), reason)
        self.remove(note.target)

    def remove(self, target: Target) -> None:
        """Take a place out of our file, with all that is inside."""
        *outer, name = target
        around: Any = self.config
        for each in outer:
            around = around.get(each) if isinstance(around, dict) else None
        if isinstance(around, dict):
            around.pop(name, None)

    def has(self, target: Target) -> bool:
        """Return whether a place of our file is set."""
        return self.value(target) is not None

    def value(self, target: Target) -> Any:
        """Return what stands at a place of our file; ``None``: nothing."""
        found: Any = self.config
        for name in target:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def _put(self, target: Target, value: Any) -> None:
        *outer, name = target
        around = self.config
        for each in outer:
            around = around.setdefault(each, {})
        around[name] = value


def path_of(target: Target) -> str:
    """Return a place of our file in one text."""
    path = ""
    for name in target:
        path = f"{path}{name}" if name.startswith("[") else join(path, name)
    return path


def plain(value: Any) -> Any:
    """Return a draft's values as they stand in a file: one of ``[0]``, ``[1]`` is a list."""
    if not isinstance(value, Mapping):
        return value
    if value and all(_ITEM.match(str(name)) for name in value):
        return [plain(each) for each in value.values()]
    return {name: plain(each) for name, each in value.items()}
