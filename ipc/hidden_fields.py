"""Hides the secret fields of structs and dataclasses where these are printed. Pure.

``repr`` shows every field, and by it an object comes into a log, an error or a report about a
crash. A type that holds a secret names the fields that are not for printing; what is encoded and
compared stays the same. Nothing is imported here that a start would wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
HIDDEN = "__hidden_fields__"  # the attribute of a type that has some


class _Mark:
    """The stand-in of a hidden value in what is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


_MARK = _Mark()


def hide_fields(*names: str) -> Callable[[type[T]], type[T]]:
    """Return a class decorator for a struct or dataclass whose fields ``names`` are not printed.

    Their values are printed as ``…``, empty ones as they are: that a secret is missing is no
    secret. A struct's subclasses inherit it; of a dataclass it stands above ``@dataclass``, which
    makes a ``__repr__`` of its own. Raises ``TypeError`` for a name that is no field.
    """

    def hide(type_: type[T]) -> type[T]:
        if unknown := set(names) - set(_fields_of(type_)):
            raise TypeError(f"{type_.__name__} has no field {', '.join(sorted(unknown))} to hide")
        hidden = frozenset(names) | getattr(type_, HIDDEN, frozenset())
        ours = {HIDDEN: hidden, "__repr__": _printed, "__rich_repr__": _shown_fields}
        for name, value in ours.items():
            setattr(type_, name, value)
        return type_

    return hide


def hide_secrets(config: Any, names: Iterable[str]) -> None:
    """Hide the fields of a manifest's struct that hold secrets, by their names in the file.

    A name with a dot hides the field that it begins with. What is no field is left to the check of
    the manifest, and so is a ``config`` that is no struct.
    """
    if not isinstance(config, type):
        return
    first = {str(name).partition(".")[0] for name in names}
    named = zip(_fields_of(config), getattr(config, "__struct_encode_fields__", ()), strict=False)
    if hidden := [field for field, name in named if name in first]:
        hide_fields(*hidden)(config)


def _fields_of(type_: Any) -> Iterable[str]:
    """Return the names of a type's fields, in their order."""
    return getattr(type_, "__struct_fields__", ()) or getattr(type_, "__dataclass_fields__", ())


def _shown_fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields with their values, or a mark for those that are hidden."""
    hidden = getattr(type(value), HIDDEN)
    for name in _fields_of(type(value)):
        each = getattr(value, name)
        yield name, _MARK if each and name in hidden else each


def _printed(value: Any) -> str:
    """Return the text of an object as ``repr`` has it, without what is hidden."""
    fields = ", ".join(f"{name}={each!r}" for name, each in _shown_fields(value))
    return f"{type(value).__name__}({fields})"
