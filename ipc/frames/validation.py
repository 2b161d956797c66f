"""Formats validation errors in the words of OpenClaw's gateway. Pure.

Clients show these texts to people and some match them, so msgspec's own texts are translated. It is
separate from the frames because parameters of any method use it, too.
"""

from __future__ import annotations

import re

import msgspec

_AT = re.compile(r" - at `(?:key(?: in)? )?\$(?P<path>[^`]*)`$")
_NAME = re.compile(r"`(?P<name>.*)`", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<type>[^`]*)`(?P<rest>.*)$", re.DOTALL)
_LENGTH = re.compile(r" of length (?P<sign>>=|<=|==) (?P<count>\d+)$")
_BOUND = re.compile(r" (?P<sign>>=|<=|>|<) (?P<bound>\S+)$")
_PATTERN = re.compile(r" matching regex '(?P<pattern>.*)'$", re.DOTALL)
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_UNITS = {"str": "characters", "array": "items", "object": "properties", "bytes": "characters"}


def explain(error: msgspec.ValidationError) -> str:
    """Return one phrase such as ``at /limit: must be >= 1``; only the first fault is named."""
    text = str(error)
    at = _AT.search(text)
    where = _pointer(at["path"]) if at else ""
    fault = text[: at.start()] if at else text
    if fault.startswith("Object missing required field"):
        name = _named(fault)
        return f"{f'at {where}: ' if where else ''}must have required property '{name}'"
    if fault.startswith("Object contains unknown field"):
        return f"at {where or 'root'}: unexpected property '{_named(fault)}'"
    return f"at {where or 'root'}: {_rule(fault)}"


def _pointer(path: str) -> str:
    """Convert ``.client.caps[1]`` to ``/client/caps/1``; a dict's key is unknown, so ``*``."""
    return path.replace("[...]", "/*").replace(".", "/").replace("[", "/").replace("]", "")


def _named(fault: str) -> str:
    found = _NAME.search(fault)
    return found["name"] if found else "?"


def _rule(fault: str) -> str:
    if fault.startswith(("Invalid enum value", "Invalid value")):
        return "must be equal to one of the allowed values"
    expected = _EXPECTED.match(fault)
    if expected is None:
        return fault
    kind, rest = expected["type"], expected["rest"]
    if length := _LENGTH.match(rest):
        few = "fewer" if length["sign"] == ">=" else "more"
        return f"must NOT have {few} than {length['count']} {_UNITS.get(kind, 'items')}"
    if bound := _BOUND.match(rest):
        return f"must be {bound['sign']} {bound['bound']}"
    if pattern := _PATTERN.match(rest):
        return f'must match pattern "{pattern["pattern"]}"'
    return "must be " + ",".join(_TYPES.get(name, name) for name in kind.split(" | "))
