"""Prints what the doctor has found."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import groupby

from ops.doctor.finding import Finding, Severity
from ops.output.text import clean

_STYLES = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


def show_findings(findings: Sequence[Finding], checks: int) -> None:
    """Print findings by their severity, each with its cure, and a line that sums them up."""
    colours = sys.stdout.isatty() and _wants_colour()
    for severity, group in groupby(findings, key=lambda each: each.severity):
        print(f"\x1b[1;{_STYLES[severity]}m{severity}\x1b[0m" if colours else severity)
        for each in group:
            print(f"  {clean(each.message)}  [{each.check}]")
            if each.fixed is not None:
                print(f"    fixed: {clean(each.fixed)}")
            elif each.cure is not None:
                print(f"    cure: {clean(each.cure)}")
    print(summary(findings, checks))


def summary(findings: Sequence[Finding], checks: int) -> str:
    """Return the last line: ``34 checks: 1 error, 2 warnings``."""
    open_ = [each for each in findings if each.fixed is None]
    counts = [
        f"{count} {word}{'' if count == 1 or word == 'info' else 's'}"
        for word in Severity
        if (count := sum(each.severity == word for each in open_))
    ]
    fixed = len(findings) - len(open_)
    parts = [*counts, *([f"{fixed} fixed"] if fixed else [])]
    return f"{checks} checks: {', '.join(parts) or 'all is well'}"


def _wants_colour() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
