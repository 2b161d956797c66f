"""Checks the installation: the version of Python, and the shell's completion."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity

_TESTED = ((3, 11), (3, 13))  # the oldest and the newest Python that the suite is run with
COMPLETIONS = {
    "bash": (
        "~/.local/share/bash-completion/completions/trunkline",
        "/usr/share/bash-completion/completions/trunkline",
        "/etc/bash_completion.d/trunkline",
    ),
    "zsh": ("~/.zfunc/_trunkline", "/usr/share/zsh/site-functions/_trunkline"),
    "fish": ("~/.config/fish/completions/trunkline.fish",),
}


def interpreter(facts: Facts) -> Iterator[Finding]:
    """Find a Python version that Trunkline was not tested with."""
    found = sys.version_info[:2]
    if not _TESTED[0] <= found <= _TESTED[1]:
        yield Finding(
            "python.version",
            Severity.INFO,
            f"Python {found[0]}.{found[1]} was not tested; 3.{_TESTED[0][1]} to"
            f" 3.{_TESTED[1][1]} were",
        )


def completion(facts: Facts) -> Iterator[Finding]:
    """Find that shell completion is not installed."""
    shell = Path(facts.environ.get("SHELL", "")).name
    home = facts.environ.get("HOME")
    places = COMPLETIONS.get(shell, ())
    files = [Path(each.replace("~", home or "/", 1)) for each in places]
    if home and files and not any(each.exists() for each in files):
        yield Finding(
            "shell.completion",
            Severity.INFO,
            f"{shell} does not complete commands and accounts",
            str(files[0]),
            f"mkdir -p {files[0].parent} && trunkline completion {shell} > {files[0]}",
        )
