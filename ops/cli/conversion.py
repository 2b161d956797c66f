"""Converts typed arguments to text, whole numbers, numbers and lists of text.

typer converts through pydantic, whose import costs every command 0.1 to 0.2 s and the
daemon several MiB for nothing more than this. With a version of typer that asks in another
way commands still work, only slower.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import typer

_KINDS: dict[Any, tuple[type, str]] = {
    str: (str, "text"),
    list[str]: (str, "text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (bool, "yes or no"),  # a flag: the parser has made it a bool, or left it out
}
_CHOICES = re.compile(r"[a-z]+(\|[a-z]+)+")  # what an option takes is one of these words
# Options that scripts pass on though they have nothing to say: "" is the same as to leave them out.
MAY_BE_EMPTY = frozenset({"--url", "--token", "--profile", "--state-dir", "--config", "--reason"})


class PlainConversion:
    """Converts the values of one parameter.

    ``kind`` converts a text and raises ``ValueError`` for an invalid one, ``word`` names the type
    in the error, and ``minimum`` and ``maximum`` are the least and the largest allowed value. If
    there are ``choices``, only these words are allowed.
    """

    def __init__(
        self,
        kind: type,
        word: str,
        minimum: float | None,
        maximum: float | None = None,
        choices: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.word = word
        self.minimum = minimum
        self.maximum = maximum
        self.choices = choices

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return ``value`` converted; raises ``BadParameter`` naming what is allowed."""
        if param.multiple or param.nargs == -1:
            return [] if value is None else [self._one(item, param, ctx) for item in value]
        return None if value is None else self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            result = self.kind(value)
        except ValueError:
            raise typer.BadParameter(f"{value!r} is not {self.word}", ctx, param) from None
        left_out = getattr(param, "default", None) == ""
        if result == "" and not left_out and MAY_BE_EMPTY.isdisjoint(getattr(param, "opts", ())):
            # An unset variable of a script: it must not mean something else than what was meant.
            raise typer.BadParameter("it is empty", ctx, param)
        if self.choices and result not in self.choices:
            known = ", ".join(self.choices)
            raise typer.BadParameter(f"{value!r} is not one of {known}", ctx, param)
        if self.kind is float and not math.isfinite(result):
            raise typer.BadParameter(f"{value} is not a finite number", ctx, param)
        if self.minimum is not None and result < self.minimum:
            raise typer.BadParameter(f"{value} is below {self.minimum:g}", ctx, param)
        if self.maximum is not None and result > self.maximum:
            raise typer.BadParameter(f"{value} is above {self.maximum}", ctx, param)
        return result


def convert_plainly(command: Any) -> None:
    """Replace typer's conversion of every parameter of ``command`` that has a plain type."""
    get_all = command.get_params  # with the help option, which is made on demand

    def params(ctx: Any) -> Any:
        found = get_all(ctx)
        for param in found:
            _convert_plainly(param)
        return found

    command.get_params = params


def _convert_plainly(param: Any) -> None:
    described = getattr(param, "type_descriptor", None)
    found = _KINDS.get(getattr(described, "annotation", None))
    if found is not None:
        info = getattr(described, "parameter_info", None)
        named = getattr(param, "metavar", None) or ""
        plain = PlainConversion(
            *found,
            getattr(info, "min", None),
            getattr(info, "max", None),
            named.split("|") if _CHOICES.fullmatch(named) else (),
        )
        param.get_runtime_param = lambda: plain
