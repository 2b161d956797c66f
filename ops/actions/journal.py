"""Copies the journal of this host's runtime, and puts a copy back."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from ipc.permissions import describe
from ops.connect.places import places_of
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError, UsageFailure
from runtime.gateway.journal.copies import (
    UnusableCopy,
    copy,
    name_of_copy,
    remove_abandoned,
    restore,
)
from runtime.gateway.journal.interface import COPIES, FILE
from runtime.gateway.journal.replacing import has_journal
from runtime.supervisor.instance import Instance, InstanceHeld


@dataclass(frozen=True)
class Copied:
    """A finished copy of the journal."""

    path: Path
    bytes: int


def copy_journal(target: RuntimeTarget, to: Path | None) -> Copied:
    """Copy the journal to the file ``to``, or to one named by the date.

    Raises ``UsageFailure`` if ``to`` exists, ``OperatorError`` if there is no journal or no copy
    could be made.
    """
    state = places_of(target).state_dir
    if not (state / FILE).exists():
        why = "no account that has one has run here yet"
        if has_journal(state / FILE):
            why = "a repair or restore was cut off, and the daemon's next start finishes it"
        raise OperatorError(f"there is no journal in {state}: {why}")
    try:
        if to is None:
            to = state / COPIES / name_of_copy(time.time())
            to.parent.mkdir(mode=0o700, exist_ok=True)
            remove_abandoned(to.parent, time.time())
        elif to.exists():
            raise UsageFailure(f"{to} exists already; name another file")
        return Copied(to, copy(state / FILE, to.absolute()))
    except (OSError, sqlite3.Error) as error:
        raise OperatorError(f"the journal was not copied: {_reason(error)}") from None


def restore_journal(target: RuntimeTarget, source: Path) -> Path | None:
    """Replace the journal by a copy; return where the replaced journal is now.

    Raises ``OperatorError`` while a daemon runs, and for a file that is not a usable copy.
    """
    state = places_of(target).state_dir
    try:
        with Instance(state) as instance:
            return restore(source.absolute(), state / FILE, instance.skip_incarnations)
    except InstanceHeld as error:
        raise OperatorError(f"{error}, and a journal in use cannot be replaced") from None
    except UnusableCopy as error:
        raise UsageFailure(str(error)) from None
    except (OSError, sqlite3.Error) as error:
        raise OperatorError(f"the journal was not restored: {_reason(error)}") from None


def _reason(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, OSError) and error.strerror:
        return describe(error)
    return str(error)
