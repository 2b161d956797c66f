"""Makes the rules by which fields of OpenClaw's configuration become fields of ours. Pure.

A table of rules names each field of an object; ``carry`` goes through the object with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ops.openclaw.draft import Draft, FieldPlace, Target
from ops.openclaw.secret_values import take_secret, take_secret_file
from runtime.config.check import join

Rule = Callable[[Draft, FieldPlace, Any], None]
Rules = Mapping[str, Rule]

UNKNOWN = "Trunkline has no such setting"


def carry(
    draft: Draft,
    path: str,
    base: Target,
    fields: Any,
    rules: Rules,
    otherwise: str = UNKNOWN,
) -> None:
    """Apply a rule to each field of an object; what has none is left for the reason given."""
    if not isinstance(fields, Mapping):
        draft.leave(path, "is not an object")
        return
    if not fields:
        draft.leave(path, "is empty")
    for name, value in fields.items():
        rule = rules.get(name)
        place = FieldPlace(join(path, name), base, name)
        if rule is None:
            draft.leave(place.path, otherwise)
        else:
            rule(draft, place, value)


def same(*target: str) -> Rule:
    """Return the rule for a field that means the same here, under its own name or ``target``.

    A target of several names reaches from the object around the field into another one.
    """

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        draft.take(place.path, (*place.base, *(target or (place.name,))), value)

    return rule


def at(*target: str) -> Rule:
    """Return the rule for a field that stands elsewhere in our file, counted from its top."""
    return lambda draft, place, value: draft.take(place.path, target, value)


def left(reason: str) -> Rule:
    """Return the rule for a field that does not come along."""
    return lambda draft, place, value: draft.leave(place.path, reason)


def so_anyway(is_so: Callable[[Any], bool], reason: str, otherwise: str) -> Rule:
    """Return the rule for a field of which one value is always true of Trunkline."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if is_so(value):
            draft.agree(place.path, reason)
        else:
            draft.leave(place.path, otherwise)

    return rule


def words(table: Mapping[Any, Any], reason: str, *target: str) -> Rule:
    """Return the rule for a field whose values have other names here; equal ones are taken."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        to = (*place.base, *(target or (place.name,)))
        if isinstance(value, str | bool) and value in table:
            if table[value] == value:
                draft.take(place.path, to, value)
            else:
                draft.change(place.path, to, table[value], reason)
        else:
            known = ", ".join(map(str, table))
            draft.leave(place.path, f"has no counterpart; those of {known} have one")

    return rule


def nested(rules: Rules, otherwise: str = UNKNOWN) -> Rule:
    """Return the rule for an object that becomes one of the same name."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        carry(draft, place.path, (*place.base, place.name), value, rules, otherwise)

    return rule


def flattened(rules: Rules, otherwise: str = UNKNOWN) -> Rule:
    """Return the rule for an object whose fields belong to the object around it here."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        carry(draft, place.path, place.base, value, rules, otherwise)

    return rule


def secret(*target: str) -> Rule:
    """Return the rule for a secret."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        take_secret(draft, place, (*place.base, *(target or (place.name,))), value)

    return rule


def secret_file(*target: str) -> Rule:
    """Return the rule for the path of a file that holds a secret."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        take_secret_file(draft, place, (*place.base, *target), value)

    return rule
