"""Prints the findings of the doctor."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

from ops.doctor.finding import Finding, Severity
from ops.output.commands import for_runtime
from ops.output.paragraphs import filled
from ops.output.text import clean

# What is typed into a shell: between backticks, or from the name of a program to the next comma.
_COMMAND = re.compile(
    r"`[^`]*`|\b(?:trunkline|mkdir|chmod|chown|rm|kill|loginctl|systemctl|timedatectl|ulimit|pip)\b"
    r"""(?: (?:'[^']*'|"[^"]*"|[^\s,;'"]+))*"""
)
FEW = 5  # findings of one check that a terminal shows where there are many
_STYLES = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


def show_findings(findings: Sequence[Finding], checks: int) -> None:
    """Print findings by severity, each with its cure, and a summary line."""
    colours = sys.stdout.isatty() and _wants_colour()
    for severity, group in groupby(findings, key=lambda each: each.severity):
        print(f"\x1b[1;{_STYLES[severity]}m{severity}\x1b[0m" if colours else severity)
        for each in _few(list(group)):
            if isinstance(each, str):
                print(each)
                continue
            print(filled("  ", f"{clean(each.message)}  [{each.check}]", _COMMAND))
            if each.fixed is not None:
                print(filled("    fixed: ", clean(each.fixed), _COMMAND))
            elif each.cure is not None:
                print(filled("    cure: ", clean(each.cure), _COMMAND))
    print(summary(findings, checks))


def _few(found: Sequence[Finding]) -> Iterator[Finding | str]:
    """Yield findings; on a terminal only the first of many alike, and the number of the rest."""
    for check, alike in groupby(found, key=lambda each: each.check):
        all_of_it = list(alike)
        most = FEW if sys.stdout.isatty() and len(all_of_it) > FEW + 2 else len(all_of_it)
        yield from all_of_it[:most]
        if more := len(all_of_it) - most:
            command = for_runtime("trunkline doctor --json")
            yield f"  … and {more} more of {check}; `{command}` has all"


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
