"""Collects the configuration that an import produces, and a note about each value. Pure."""

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
    """What became of one value of the original, or of a whole section.

    ``path`` is its place in the original, ``target`` that in our file (empty: left out).
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
    """The place of a value in the original, and the object of our file that it belongs to."""

    path: str
    base: Target
    name: str

    def inside(self, name: str) -> FieldPlace:
        """Return the place of a field inside the value, which is an object in our file."""
        return FieldPlace(join(self.path, name), (*self.base, self.name), name)


class Draft:
    """The configuration being built. Each value of the original is noted once."""

    def __init__(
        self, variables: Variables, secret_providers: Mapping[str, Any] | None = None
    ) -> None:
        self.config: dict[str, Any] = {}
        self.notes: list[Note] = []
        self.variables = variables
        self.secret_providers = secret_providers or {}
        self.used_variables: set[str] = set()  # those of ``env.vars`` that stand in our file now
        self.used_providers: set[str] = set()

    def copy(self, path: str, target: Target, value: Any) -> None:
        """Copy a value into our file; variables in it are replaced, which counts as a change."""
        found = fill(value, self.variables)
        self.used_variables.update(found.inline)
        if found.missing:
            names = ", ".join(found.missing)
            self.omit(path, f"the variable {names} is not set: set it and run the import again")
        elif found.used:
            reason = f"with the value of {', '.join(found.used)} written out"
            self.change(path, target, found.value, reason)
        else:
            self._set(target, found.value)
            self.notes.append(Note("taken", path, target))

    def change(self, path: str, target: Target, value: Any, reason: str) -> None:
        """Set a changed value in our file, or one that the original does not have."""
        self._set(target, value)
        self.notes.append(Note("changed", path, target, reason))

    def spread(self, path: str, targets: Sequence[Target], value: Any, reason: str) -> None:
        """Copy one value of the original to several places of our file."""
        for number, target in enumerate(targets):
            where = path_of(target)
            self.change(f"{where} (not set)" if number else path, target, value, reason)

    def note_fixed(self, path: str, reason: str) -> None:
        """Report a value that is always true of Trunkline, so that it need not be set."""
        self.notes.append(Note("taken", path, (), reason))

    def omit(self, path: str, reason: str) -> None:
        """Report a value that is left out."""
        self.notes.append(Note("left", path, (), reason))

    def withdraw(self, note: Note, reason: str) -> None:
        """Remove a value from our file again."""
        self.notes[self.notes.index(note)] = Note("left", note.path, (), reason)
        self.remove(note.target)

    def remove(self, target: Target) -> None:
        """Remove a place of our file, with everything inside."""
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
        """Return the value at a place of our file; ``None`` if there is none."""
        found: Any = self.config
        for name in target:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def _set(self, target: Target, value: Any) -> None:
        *outer, name = target
        around = self.config
        for each in outer:
            around = around.setdefault(each, {})
        around[name] = value


def path_of(target: Target) -> str:
    """Return a place of our file as one text."""
    path = ""
    for name in target:
        path = f"{path}{name}" if name.startswith("[") else join(path, name)
    return path


def plain(value: Any) -> Any:
    """Return a draft's values as in a file: objects with keys ``[0]``, ``[1]``, … become lists."""
    if not isinstance(value, Mapping):
        return value
    if value and all(_ITEM.match(str(name)) for name in value):
        return [plain(each) for each in value.values()]
    return {name: plain(each) for name, each in value.items()}


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return ``value`` if it is an object, else an empty one; the check reports the error."""
    return value if isinstance(value, Mapping) else {}


def member_of(value: Any, name: str) -> Any:
    """Return the member ``name`` of ``value``; ``None`` if there is none or no object."""
    return value.get(name) if isinstance(value, Mapping) else None
