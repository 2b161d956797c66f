"""Defines the options of ``trunkline up``, and prints why it does not start."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from runtime.config.places import Flags
from runtime.supervisor.process_setup import write_error


class Options(NamedTuple):
    """The options of ``trunkline up``; ``flags`` are those that select places, port and token.

    It is no struct and looks up ``version`` late, so that the zygote does not wait for either: the
    import of msgspec takes 5 ms.
    """

    flags: Flags
    version: Callable[[], str]
    force: bool = False
    verbose: bool = False
    quiet: bool = False
    detached: bool = False  # no terminal is left whose Ctrl-C could end it


def refuse(text: str, code: int) -> int:
    """Write why it does not start to standard error; return ``code``."""
    write_error(f"trunkline: {text}")
    return code
