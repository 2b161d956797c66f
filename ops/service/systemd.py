"""Calls systemd; only this module runs ``systemctl``, ``loginctl`` and ``journalctl``."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ops.exits import OperatorError
from ops.service.unit import Scope

SECONDS = 60.0  # for one answer; a start waits until the daemon is ready
_SYSTEM_UNITS = Path("/etc/systemd/system")
_OF_UNIT = ("Environment", "EnvironmentFiles")  # properties
_ASSIGNED = re.compile(r"^[ \t]*([A-Za-z_]\w*)=", re.MULTILINE)
_ABSENT = "systemd does not manage {what} here; `trunkline up --detach` runs the daemon without it"


class Systemd:
    """The systemd manager of the system, or of the user who runs this process."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @property
    def units(self) -> Path:
        """The directory for locally installed units (systemd.unit(5))."""
        if self.scope == "system":
            return _SYSTEM_UNITS
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        return Path(config) / "systemd" / "user"

    def control(self, *arguments: str) -> str:
        """Run ``systemctl`` and return what it prints.

        Raises ``OperatorError`` with its error text, or if systemd does not run.
        """
        return _run(["systemctl", *self._scope(), "--no-pager", *arguments], self.scope)

    def properties(self, unit: str, names: Sequence[str]) -> dict[str, str]:
        """Return properties of a unit, by name (``systemctl show``)."""
        text = self.control("show", unit, f"--property={','.join(names)}")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def variables(self, unit: str) -> set[str]:
        """Return the names of the variables that a unit gets beside those of its own file.

        They are of its drop-ins, of their files as far as these can be read, and of the manager.
        """
        found: set[str] = set()
        for line in self.control("show", unit, f"--property={','.join(_OF_UNIT)}").splitlines():
            name, _, value = line.partition("=")
            if name == _OF_UNIT[0]:
                found |= {each.partition("=")[0] for each in _words(value)}
            elif name == _OF_UNIT[1]:
                found |= _names_in(value.partition(" (ignore_errors")[0])
        lines = self.control("show-environment").splitlines()
        return found | {each.partition("=")[0] for each in lines if "=" in each}

    def lingers(self, user: str) -> bool | None:
        """Return whether a user's services run without a login (lingering); ``None`` if unknown."""
        try:
            text = _run(["loginctl", "show-user", user, "--property=Linger", "--value"], self.scope)
        except OperatorError:
            return None
        return text.strip() == "yes"

    def journal(self, unit: str, lines: int, *, follow: bool, json: bool = False) -> list[str]:
        """Return the command that prints what a unit wrote; ``json``: an object for each line."""
        which = ["--user-unit", unit] if self.scope == "user" else ["--unit", unit]
        options = [*(["--follow"] if follow else []), *(["--output=json"] if json else [])]
        return ["journalctl", *which, f"--lines={lines}", *options]

    def _scope(self) -> list[str]:
        return ["--user"] if self.scope == "user" else []


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _names_in(path: str) -> set[str]:
    """Return the names of the variables in a file of a unit (``EnvironmentFile=``)."""
    try:
        return set(_ASSIGNED.findall(Path(path).read_text(errors="replace")))
    except OSError:
        return set()


def _run(command: list[str], scope: Scope) -> str:
    what = "services" if scope == "system" else "services of this user"
    try:
        done = subprocess.run(  # noqa: S603 - programs of the system, words of ours
            command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        raise OperatorError(_ABSENT.format(what=what)) from None
    except subprocess.TimeoutExpired:
        raise OperatorError(f"`{' '.join(command)}` gave no answer in {SECONDS:g} s") from None
    if done.returncode == 0:
        return done.stdout
    complaint = done.stderr.strip() or f"exit code {done.returncode}"
    if "not been booted with systemd" in complaint or "connect to bus" in complaint:
        raise OperatorError(f"{_ABSENT.format(what=what)} ({complaint.splitlines()[0]})")
    raise OperatorError(f"`{' '.join(command)}`: {complaint}")
