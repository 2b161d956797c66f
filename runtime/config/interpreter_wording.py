"""Builds error texts about an account's interpreter, with the command that fixes it.

Apart from the room that asks interpreters: what starts a child needs only the sentences.
"""

from __future__ import annotations

import os
import sys

from ipc.frames.words import WIRE


def too_old(python: str, version: tuple[int, int]) -> str:
    """Return the sentence about a Python that is too old."""
    major, minor = version
    return (
        f"{python} is Python {major}.{minor}, and an account needs 3.11 or later;"
        f" make the virtualenv with another: {sys.executable} -m venv {_directory(python)}"
    )


def absent(python: str) -> str:
    """Return the sentence about a channel that is not installed for an interpreter."""
    return f"it is not installed for {python}; install its package: {python} -m pip install PACKAGE"


def missing(python: str, why: object) -> str:
    """Return the sentence about an interpreter for which Trunkline is not installed."""
    return (
        f"Trunkline is not installed for {python} ({why}); install it:"
        f" {python} -m pip install {_requirement()}"
    )


def other_wire(python: str, theirs: str) -> str:
    """Return the sentence about a Trunkline that speaks another version of the wire."""
    return (
        f"the Trunkline of {python} speaks version {theirs} of the wire, this one {WIRE};"
        f" install the same: {python} -m pip install {_requirement()}"
    )


def no_program(python: str, why: str) -> str:
    """Return the sentence about an interpreter that cannot be started."""
    return (
        f"{python} cannot be started ({why}); make it:"
        f" {sys.executable} -m venv {_directory(python)}"
        f" && {python} -m pip install {_requirement()}"
    )


def _requirement() -> str:
    from importlib.metadata import PackageNotFoundError, version  # late: 12 ms, for a fault only

    try:
        return f"trunkline=={version('trunkline')}"
    except PackageNotFoundError:  # a bare checkout
        return "trunkline"


def _directory(python: str) -> str:
    """Return the virtualenv that an interpreter belongs to, by its path."""
    return os.path.dirname(os.path.dirname(python))
