"""Describes permitted types and given values in error messages. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import inspect

from workers.secrets import SOURCES, SecretRef

LISTED = 20  # names in one sentence
COMPARED = 200  # characters of an unknown name: no known one is longer, and a peer may send more
_SOURCES = " | ".join(f'"{source}"' for source in SOURCES)
REFERENCE = f'a reference {{source: {_SOURCES}, id: "..."}}'


def allowed(type: Any) -> str:
    """Return a description of ``type``, e.g. ``an integer from 1 to 65535``."""
    return _describe(inspect.type_info(type))


def unknown(name: str, known: Collection[str], what: str = "field") -> str:
    """Return the error that ``name`` is not one of ``known``, with the nearest known name."""
    import difflib  # late: only what is wrong needs it

    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {what}{hint}; allowed: {', '.join(sorted(known)) or 'none'}"


def known_names(name: str, keys: Sequence[str], listed_by: str = "channels list") -> str:
    """Return the end of an error about an unknown account or other name: the nearest, and all.

    Of many it names the command that lists them, and how many there are: nobody reads 500 names.
    """
    near = _nearest(name[:COMPARED], keys)
    hint = f" (did you mean {near}?)" if near else ""
    if len(keys) > LISTED:
        return f"{hint}; there are {len(keys)}, see `trunkline {listed_by}`"
    return f"{hint}; known: {', '.join(keys) or 'none'}"


def _nearest(name: str, keys: Sequence[str]) -> str | None:
    """Return the most similar account, of the same channel if possible."""
    import difflib

    channel, colon, account = name.partition(":")
    if not colon:
        known = {key.partition(":")[0]: key.partition(":")[0] for key in keys}
        known |= {key.partition(":")[2]: key for key in keys if ":" in key}
        account = name
    else:
        known = {key.partition(":")[2]: key for key in keys if key.startswith(f"{channel}:")}
        if not known:
            known, account = {key: key for key in keys}, name
    near = difflib.get_close_matches(account, known, n=1, cutoff=0.65)
    return known[near[0]] if near else None


def shown(value: object, wanted: Any = str) -> str:
    """Return a description of ``value``, e.g. ``5`` or ``a list``.

    Of a text only the kind, because it may be a secret in the wrong place; but where
    ``wanted`` is one of some fixed words, the misspelling itself is what helps.
    """
    match value:
        case str() if value and "Literal[" in str(wanted):
            return repr(value[:40])
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value) if abs(value) < 1e15 else "a very large number"
        case str():
            return "a string" if value else "an empty string"
        case list():
            return "a list"
        case Mapping():
            return "an object"
    return f"a {type(value).__name__}"


def _describe(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(type=inner):
            return _describe(inner)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"an integer{_range(info)}"
        case inspect.FloatType():
            return f"a number{_range(info)}"
        case inspect.StrType():
            pattern = f" that matches {info.pattern}" if info.pattern else ""
            return f"a string{_length(info, 'characters')}{pattern}"
        case inspect.LiteralType(values=values):
            return " | ".join(f'"{value}"' for value in values)
        case inspect.EnumType(cls=cls):
            return " | ".join(f'"{member.value}"' for member in cls)
        case inspect.ListType(item_type=item):
            return f"a list{_length(info, 'items')} of: {_describe(item)}"
        case inspect.StructType(cls=cls) if cls is SecretRef:
            return REFERENCE
        case inspect.StructType(fields=fields):
            return f"an object with {', '.join(field.encode_name for field in fields)}"
        case inspect.DictType():
            return "an object"
        case inspect.UnionType(types=types):
            return ", or ".join(
                _describe(each) for each in types if not isinstance(each, inspect.NoneType)
            )
    return type(info).__name__.removesuffix("Type").lower()


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {_number(info.ge)} to {_number(info.le)}"
    bounds = (
        ("at least", info.ge),
        ("more than", info.gt),
        ("at most", info.le),
        ("less than", info.lt),
    )
    said = [f"{word} {_number(bound)}" for word, bound in bounds if bound is not None]
    return f" of {' and '.join(said)}" if said else ""


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _length(info: inspect.StrType | inspect.ListType, unit: str) -> str:
    low, high = info.min_length, info.max_length
    if low and high:
        return f" of {low} to {high} {unit}"
    if low:
        return f" of at least {low} {unit}"
    return f" of at most {high} {unit}" if high else ""
