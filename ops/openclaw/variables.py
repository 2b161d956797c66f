"""Substitutes ``${NAME}`` in the texts of OpenClaw's configuration. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields

_VARIABLE = re.compile(r"(\$?)\$\{([A-Z_][A-Z0-9_]*)\}")  # $${NAME} is no variable, but ${NAME}
_ALONE = re.compile(r"\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z][A-Z0-9_]*))\Z")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*\Z")


@hide_fields("environ", "dotenv", "inline")
class Variables(msgspec.Struct, frozen=True):
    """The sources of variables: the environment, OpenClaw's ``.env``, ``env.vars``.

    The first source that has a name counts.
    """

    environ: Mapping[str, str] = {}
    dotenv: Mapping[str, str] = {}
    inline: Mapping[str, str] = {}

    def value(self, name: str) -> str | None:
        """Return the value of a variable; an empty value counts as missing."""
        return self.environ.get(name) or self.dotenv.get(name) or self.inline.get(name) or None

    def is_inline(self, name: str) -> bool:
        """Return whether only ``env.vars`` has a variable, so that our daemon would not see it."""
        return not self.environ.get(name) and not self.dotenv.get(name) and name in self.inline


@hide_fields("value")
class Filled(msgspec.Struct, frozen=True):
    """A value after substitution, and the variables that were in it."""

    value: Any
    used: list[str] = []
    missing: list[str] = []
    inline: list[str] = []


def fill(value: Any, variables: Variables) -> Filled:
    """Return a value with the variables in all of its texts substituted."""
    used: list[str] = []
    missing: list[str] = []

    def one(found: re.Match[str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return f"${{{name}}}"
        known = variables.value(name)
        (missing if known is None else used).append(name)
        return found[0] if known is None else known

    def deep(each: Any) -> Any:
        if isinstance(each, str):
            return _VARIABLE.sub(one, each)
        if isinstance(each, Mapping):
            return {name: deep(inner) for name, inner in each.items()}
        if isinstance(each, list):
            return [deep(inner) for inner in each]
        return each

    filled = deep(value)
    inline = [name for name in used if variables.is_inline(name)]
    return Filled(filled, _once(used), _once(missing), _once(inline))


def variable_alone(text: str) -> str | None:
    """Return the variable's name if a text is exactly ``${NAME}`` or ``$NAME``."""
    found = _ALONE.match(text)
    return (found[1] or found[2]) if found else None


def read_dotenv(text: str) -> dict[str, str]:
    """Parse the variables of a ``.env`` file; other lines are ignored."""
    found = {}
    for line in text.splitlines():
        if (match := _LINE.match(line)) and not line.lstrip().startswith("#"):
            value = match[2]
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            found[match[1]] = value
    return found


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
