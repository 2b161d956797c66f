"""Adds the options of this process's runtime to the commands that it prints, and next steps.

A process carries out one command, which addresses one runtime. So the options, and what was typed,
are kept here and need not be passed to everything that prints a sentence.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.exits import ExitCode

_given: Mapping[str, Any] = {}
_path = ""
_params: Mapping[str, Any] = {}


def remember(given: Mapping[str, Any]) -> None:
    """Remember the options before the command; those after it are added to the mapping later."""
    global _given
    _given = given


def remember_command(path: str, params: Mapping[str, Any]) -> None:
    """Remember the words of the command, and its arguments and options by their names."""
    global _path, _params
    _path, _params = path, params


def ending_with_step(text: str, exit: ExitCode, error: Exception | None = None) -> str:
    """Return the sentence of a failure, which ends with what to do next.

    ``error`` is the failure itself: the error of a gateway has a code and details.
    """
    # late: most commands do not fail
    from ops.output.next_steps import CommandFailure, with_next_step

    failure = CommandFailure(
        text,
        exit,
        _path,
        _params,
        getattr(error, "code", ""),
        getattr(error, "details", None),
        getattr(error, "retry_after_ms", None),
        os.environ,
    )
    return with_next_step(failure)


def options() -> list[str]:
    """Return the options that select this runtime from any directory."""
    from runtime.config.commands import options_of

    return options_of(_flags())


def for_runtime(text: str) -> str:
    """Return ``text`` with the options of this runtime added to its ``trunkline`` commands."""
    if not any(_given.get(name) for name in ("profile", "dev", "state_dir", "config")):
        return text
    from runtime.config import commands  # late: most commands have no options

    return commands.for_runtime(text, _flags())


def _flags() -> Any:
    from runtime.config.places import Flags

    return Flags(
        state_dir=_absolute(_given.get("state_dir")),
        config_path=_absolute(_given.get("config")),
        profile=_given.get("profile"),
        dev=bool(_given.get("dev")),
    )


def _absolute(text: str | None) -> Path | None:
    if not text:
        return None
    try:
        return Path(os.path.abspath(os.path.expanduser(text)))
    except FileNotFoundError:  # the current directory was deleted
        return Path(text)
