"""Reads a configuration of OpenClaw: JSON5, with the files that it includes.

Nothing is written. An included file must be below the directory of the first file, or below one
of ``OPENCLAW_INCLUDE_ROOTS``, as in OpenClaw.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from ops.exits import ExitCode, OperatorError
from ops.openclaw.variables import read_dotenv
from runtime.config.errors import ConfigError, Problem
from runtime.config.files import MAX_BYTES
from runtime.config.text.parse import parse

INCLUDE = "$include"
MAX_INCLUDES = 10  # files that are inside each other
MAX_INCLUDED_BYTES = 2 << 20
MAX_FILES = 1000


@hide_fields("values")
class Original(msgspec.Struct, frozen=True):
    """The values of OpenClaw's configuration, and the files that they come from."""

    path: Path
    values: dict[str, Any]
    files: list[Path]


def read_original(path: Path, roots: Sequence[Path] = ()) -> Original:
    """Read the configuration at ``path``.

    Raises ``OperatorError`` (exit 78) if it, or a file that it includes, cannot be used.
    """
    reading = _Inclusion([_real(path).parent, *map(_real, roots)])
    values = reading.file(path, MAX_BYTES, ())
    if not isinstance(values, dict):
        raise _refused(path, "must be one object, { ... }, at the top")
    return Original(path, values, reading.files)


def dotenv_beside(path: Path) -> dict[str, str]:
    """Return the variables of the ``.env`` beside the configuration, if there is one."""
    try:
        return read_dotenv((path.parent / ".env").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}


class _Inclusion:
    """Reads one configuration with its includes; ``files`` are those read so far."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = roots
        self.files: list[Path] = []

    def file(self, path: Path, limit: int, outer: tuple[Path, ...]) -> Any:
        real = _real(path)
        if real in outer:
            raise _refused(path, f"includes itself, through {outer[-1]}")
        if len(outer) > MAX_INCLUDES:
            raise _refused(path, f"is included {len(outer)} levels deep; allowed: {MAX_INCLUDES}")
        if len(self.files) >= MAX_FILES:
            raise _refused(path, f"exceeds the number of included files; allowed: {MAX_FILES}")
        self.files.append(path)
        return self.resolved(_parsed(path, limit), path, (*outer, real))

    def resolved(self, value: Any, path: Path, outer: tuple[Path, ...]) -> Any:
        """Return a value with every ``$include`` replaced by the included content."""
        if isinstance(value, list):
            return [self.resolved(each, path, outer) for each in value]
        if not isinstance(value, Mapping):
            return value
        own = {
            name: self.resolved(each, path, outer)
            for name, each in value.items()
            if name != INCLUDE
        }
        if INCLUDE not in value:
            return own
        included = self.included(value[INCLUDE], path, outer)
        if not own:
            return included
        if not isinstance(included, dict):
            raise _refused(path, f"has values beside {INCLUDE} of a file that is not an object")
        return merged(included, own)

    def included(self, named: Any, path: Path, outer: tuple[Path, ...]) -> Any:
        names = named if isinstance(named, list) else [named]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise _refused(path, f"{INCLUDE} must be the path of a file, or a list of them")
        found = [self.file(self.place(name, path), MAX_INCLUDED_BYTES, outer) for name in names]
        if not isinstance(named, list):
            return found[0]
        result: Any = {}
        for each in found:
            result = merged(result, each)
        return result

    def place(self, name: str, path: Path) -> Path:
        if "\0" in name or len(name) >= 4096:
            raise _refused(path, f"{INCLUDE} names no path")
        found = path.parent / name
        if not any(_real(found).is_relative_to(root) for root in self.roots):
            more = "OPENCLAW_INCLUDE_ROOTS allows further directories"
            raise _refused(found, f"lies outside of {self.roots[0]}; {more}")
        return found


def merged(below: Any, above: Any) -> Any:
    """Merge two values: objects field by field, lists by concatenation."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = dict(below)
        for name, value in above.items():
            both[name] = merged(below[name], value) if name in below else value
        return both
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above


def _real(path: Path) -> Path:
    """Return a path without links; unlike ``resolve``, also for a link that leads to itself."""
    return Path(os.path.realpath(path))


def _parsed(path: Path, limit: int) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise _refused(path, "is not a file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise _refused(path, f"is larger than {limit} bytes, the most that is allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(path, f"is not UTF-8 text: byte 0x{data[error.start]:02x}") from None
    try:
        values, _ = parse(path, text)
    except ConfigError as error:
        raise OperatorError(str(error), ExitCode.CONFIGURATION) from None
    return values


def _refused(path: Path, text: str) -> OperatorError:
    return OperatorError(str(ConfigError(str(path), [Problem("", text)])), ExitCode.CONFIGURATION)
