"""Finds all errors of a value, not only the first one. Pure.

msgspec stops at the first mistake, and its messages are for programmers. This module walks the
same types, so that every rule exists once, and reports for each mistake where it is and what is
allowed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from runtime.config.errors import Problem
from runtime.config.wording import REFERENCE, allowed, shown, unknown
from workers.plugin import fields_of
from workers.secrets import SecretRef

MAX_BITS = 1024  # of an integer, as of the exponent of a float


def problems(value: object, type: Any, path: str = "") -> list[Problem]:
    """Return all errors of ``value`` as a ``type``; an empty list if it converts."""
    return list(_walk(value, type, path))


def account_problems(
    fields: Mapping[str, Any], struct: type[msgspec.Struct], secrets: Collection[str], path: str
) -> list[Problem]:
    """Return the errors of an account's own fields, those of its channel's ``struct``.

    Unlike in ``problems`` a required field may be absent or empty, which makes an account
    unconfigured rather than wrong, and the fields named by ``secrets`` may be references.
    """
    return list(_fields(fields, struct, path, secrets, partial=True))


def unknown_fields(value: object, form: Any, path: str = "") -> Iterator[Problem]:
    """Yield the fields inside ``value`` that its type does not have; values are not checked."""
    if isinstance(value, Mapping):
        for struct in _only(members(form), is_struct):
            known = {field.encode_name: field.type for field in fields_of(struct)}
            for name, each in value.items():
                if name in known:
                    yield from unknown_fields(each, known[name], join(path, name))
                elif struct.__struct_config__.forbid_unknown_fields:
                    yield Problem(join(path, name), unknown(str(name), known))
        for member in _only(members(form), _is_dict):
            for name, each in value.items():
                yield from unknown_fields(each, get_args(member)[1], join(path, name))
    elif isinstance(value, list):
        for member in _only(members(form), is_list):
            for index, each in enumerate(value):
                yield from unknown_fields(each, get_args(member)[0], f"{path}[{index}]")


def not_finite(value: object, path: str = "") -> Iterator[Problem]:
    """Yield a problem for each infinite or NaN number, which JSON5 and TOML permit.

    So are hexadecimal numbers of any length, which could not be printed.
    """
    if isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, f"is {value}; allowed: a finite number")
    elif isinstance(value, int) and value.bit_length() > MAX_BITS:
        yield Problem(path, "is a very large number; allowed: a number of at most 1.8e308")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from not_finite(each, join(path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from not_finite(each, f"{path}[{index}]")


def join(path: str, name: object) -> str:
    """Return the path of ``name`` inside ``path``."""
    return f"{path}.{name}" if path else str(name)


def members(type: Any) -> tuple[Any, ...]:
    """Return the types a value may have, without annotations: one, or those of a union."""
    bare = _bare(type)
    if get_origin(bare) in (Union, UnionType):
        return tuple(_bare(each) for each in get_args(bare))
    return (bare,)


def is_struct(form: Any) -> bool:
    """Return whether ``form`` is a class of msgspec structs."""
    return isinstance(form, type) and issubclass(form, msgspec.Struct)


def _walk(value: object, type: Any, path: str) -> Iterator[Problem]:
    """Check by the union member of the same form, so that the message fits the intention."""
    found: list[Problem] = []
    if isinstance(value, Mapping):
        for member in _only(members(type), is_struct):
            found += _fields(value, member, path)
        for member in _only(members(type), _is_dict):
            for name, each in value.items():
                found += _walk(each, get_args(member)[1], join(path, name))
    elif isinstance(value, list):
        for member in _only(members(type), is_list):
            for index, each in enumerate(value):
                found += _walk(each, get_args(member)[0], f"{path}[{index}]")
    yield from found or _whole(value, type, path)


def _fields(
    value: Mapping[Any, Any],
    struct: Any,
    path: str,
    secrets: Collection[str] = (),
    *,
    partial: bool = False,
) -> Iterator[Problem]:
    """Check each field of an object by itself."""
    info = {field.encode_name: field for field in fields_of(struct)}
    strict = struct.__struct_config__.forbid_unknown_fields
    for name, each in value.items():
        field = info.get(name)
        if field is None:
            if strict:
                yield Problem(join(path, name), unknown(str(name), info))
        elif not (partial and field.required and each in (None, "")):
            inner = {secret.partition(".")[2] for secret in secrets if _first(secret) == name}
            yield from _field(each, field.type, join(path, name), inner)
    for name, field in info.items():
        if field.required and not partial and name not in value:
            yield Problem(join(path, name), f"is missing; allowed: {allowed(field.type)}")


def _field(value: object, type: Any, path: str, secrets: Collection[str]) -> Iterator[Problem]:
    """Check a field. ``secrets``: the names inside it that are secret, "" for all of it."""
    structs = list(_only(members(type), is_struct))
    if "" in secrets and isinstance(value, Mapping):
        yield from _walk(value, SecretRef, path)
    elif "" in secrets:
        for problem in _walk(value, type, path):
            yield Problem(problem.path, f"{problem.text}, or {REFERENCE}")
    elif secrets and structs and isinstance(value, Mapping):
        yield from _fields(value, structs[0], path, secrets)
    else:
        yield from _walk(value, type, path)


def _whole(value: object, type: Any, path: str) -> Iterator[Problem]:
    """Convert the whole value: an error of msgspec counts even if no other was found."""
    try:
        msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        # A struct's own rule, from its __post_init__, is written for people already.
        rule = error.__cause__
        yield Problem(
            path, str(rule) if rule else f"is {shown(value, type)}; allowed: {allowed(type)}"
        )


def _only(types: Collection[Any], form: Any) -> Iterator[Any]:
    """Yield the type of this form if there is only one; a guess among several may mislead."""
    found = [each for each in types if form(each)]
    if len(found) == 1:
        yield found[0]


def _bare(type: Any) -> Any:
    return _bare(get_args(type)[0]) if get_origin(type) is Annotated else type


def is_list(form: Any) -> bool:
    """Return whether ``form`` is ``list[...]``."""
    return get_origin(form) is list


def _is_dict(form: Any) -> bool:
    return get_origin(form) is dict


def _first(secret: str) -> str:
    return secret.partition(".")[0]
