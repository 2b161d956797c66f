"""Defines the rules that translate fields of OpenClaw's configuration into ours. Pure.

A table has a rule for each field of an object; ``carry`` applies it to an object.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ops.openclaw.draft import Draft, FieldPlace, Target
from ops.openclaw.secret_values import copy_secret, copy_secret_file
from runtime.config.check import join

Rule = Callable[[Draft, FieldPlace, Any], None]
Rules = Mapping[str, Rule]

UNKNOWN = "Trunkline has no such setting"
ALIKE = 0.85  # of 1: another field of OpenClaw's is less like one that is translated


def carry(
    draft: Draft,
    path: str,
    base: Target,
    fields: Any,
    rules: Rules,
    otherwise: str = UNKNOWN,
) -> None:
    """Apply the rules to the fields of an object; others are left out (``otherwise``)."""
    if not isinstance(fields, Mapping):
        draft.omit(path, "is not an object")
        return
    if not fields:
        draft.omit(path, "is empty")
    for name, value in fields.items():
        rule = rules.get(name)
        place = FieldPlace(join(path, name), base, name)
        if rule is None:
            draft.omit(place.path, f"{otherwise}{suggestion(name, rules)}")
        else:
            rule(draft, place, value)


def suggestion(name: str, known: Collection[str]) -> str:
    """Return the end of a reason that suggests a known name for a misspelt one, or ``""``."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=ALIKE)
    return f" (did you mean {near[0]}?)" if near else ""


def same(*target: str) -> Rule:
    """Return the rule for a field with the same meaning here, under its own name or ``target``.

    A target of several names is a path that begins at the enclosing object.
    """

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        draft.copy(place.path, (*place.base, *(target or (place.name,))), value)

    return rule


def at(*target: str) -> Rule:
    """Return the rule for a field at another place of our file; ``target`` begins at the top."""
    return lambda draft, place, value: draft.copy(place.path, target, value)


def omitted(reason: str) -> Rule:
    """Return the rule for a field that is left out."""
    return lambda draft, place, value: draft.omit(place.path, reason)


def fixed(is_so: Callable[[Any], bool], reason: str, otherwise: str) -> Rule:
    """Return the rule for a field of which one value is how Trunkline always behaves."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if is_so(value):
            draft.note_fixed(place.path, reason)
        else:
            draft.omit(place.path, otherwise)

    return rule


def words(table: Mapping[Any, Any], reason: str, *target: str) -> Rule:
    """Return the rule for a field whose values have other names here; equal names are copied."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        to = (*place.base, *(target or (place.name,)))
        if isinstance(value, str | bool) and value in table:
            if table[value] == value:
                draft.copy(place.path, to, value)
            else:
                draft.change(place.path, to, table[value], reason)
        else:
            known = ", ".join(map(str, table))
            draft.omit(place.path, f"has no counterpart; those of {known} have one")

    return rule


def nested(rules: Rules, otherwise: str = UNKNOWN) -> Rule:
    """Return the rule for an object that becomes one of the same name."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        carry(draft, place.path, (*place.base, place.name), value, rules, otherwise)

    return rule


def flattened(rules: Rules, otherwise: str = UNKNOWN) -> Rule:
    """Return the rule for an object whose fields belong to the enclosing object here."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        carry(draft, place.path, place.base, value, rules, otherwise)

    return rule


def secret(*target: str) -> Rule:
    """Return the rule for a secret."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        copy_secret(draft, place, (*place.base, *(target or (place.name,))), value)

    return rule


def secret_file(*target: str) -> Rule:
    """Return the rule for the path of a file that contains a secret."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        copy_secret_file(draft, place, (*place.base, *target), value)

    return rule
