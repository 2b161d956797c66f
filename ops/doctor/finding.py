"""Defines the findings of checks and their severity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ops.output.commands import for_runtime


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"  # something does not work
    WARNING = "warning"  # something will not work, or is open to others
    INFO = "info"  # worth knowing


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: its meaning, its place, and its cure.

    ``cure`` is a sentence or a command; ``repair`` is what ``--fix`` does, if that is safe.
    ``fixed`` says what was done.
    """

    check: str
    severity: Severity
    message: str
    path: str | None = None
    cure: str | None = None
    repair: Callable[[], str] | None = None
    fixed: str | None = None

    def for_runtime(self) -> Finding:
        """Return the finding with its commands addressed to the checked runtime."""
        cure = None if self.cure is None else for_runtime(self.cure)
        return replace(self, message=for_runtime(self.message), cure=cure)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as ``trunkline doctor --json`` prints it."""
        found: dict[str, Any] = {
            "checkId": self.check,
            "severity": str(self.severity),
            "message": self.message,
            "fixed": self.fixed is not None,
        }
        if self.path is not None:
            found["path"] = self.path
        if self.cure is not None:
            found["fixHint"] = self.cure
        return found


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the worst first; those of one check stay together."""
    severities = list(Severity)
    return sorted(findings, key=lambda each: severities.index(each.severity))
