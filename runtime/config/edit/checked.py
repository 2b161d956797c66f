"""Replaces the configuration file by a checked text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipc.permissions import reason
from runtime.config.errors import ConfigError, ConfigUnwritten, Problem, config_error
from runtime.config.files import MOUNTED, check_size, is_mounted, read_text, replace
from runtime.config.load import Loaded, load_text
from workers.registry import Manifests

BY_HAND = "is written in a way that this cannot change; edit it by hand"


def checker(path: Path, manifests: Manifests) -> Callable[[str], Loaded]:
    """Return a function that checks a text alone, without flags and environment.

    It is enough for an edit of accounts, which can change neither.
    """
    return lambda text: load_text(path, text, manifests)


def check(
    path: Path, after: str, expected: dict[str, Any], read: Callable[[str], Loaded]
) -> Loaded:
    """Return the configuration of the text ``after``, which must be equal to ``expected``.

    ``read`` returns what a text means, or raises the ``ConfigError`` that refuses it. Raises
    ``ConfigError``.
    """
    check_size(path, len(after.encode()))
    try:
        loaded = read(after)
    except ConfigError as error:
        # The lines would be those of a text that is never written.
        problems = [dataclasses.replace(each, line=None) for each in error.problems]
        raise ConfigError(str(path), problems) from None
    if loaded.raw != expected:
        raise config_error(path, BY_HAND)
    return loaded


def write_checked(
    path: Path, before: str, after: str, expected: dict[str, Any], read: Callable[[str], Loaded]
) -> Loaded:
    """Replace the text ``before`` by ``after`` and return the new configuration.

    The text is checked as in ``check``. The file must still hold ``before``: hold the lock
    (``files.locked``). Raises ``ConfigError``; the file is untouched then.
    """
    loaded = check(path, after, expected, read)
    if read_text(path) != before:
        raise config_error(path, "was changed by somebody else meanwhile; try again")
    try:
        replace(path, after)
    except OSError as error:
        text = f"cannot be written: {reason(error)}"
        if is_mounted(path):
            text += f"; {MOUNTED}: mount its directory instead"
        raise ConfigUnwritten(str(path), [Problem("", text)]) from None
    return loaded
