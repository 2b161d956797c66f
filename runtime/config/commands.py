"""Adds the options that select a runtime to the commands in a text about it. Pure.

A command that is printed without the options of the one that prints it would be carried out at
another runtime: that of the default profile.
"""

from __future__ import annotations

import re
import shlex

from runtime.config.places import Flags

_COMMAND = re.compile(r"(?<![\w/.-])trunkline (?=[a-z])")


def options_of(flags: Flags) -> list[str]:
    """Return the global options that select the runtime of ``flags``."""
    named = (
        ("--profile", flags.profile),
        ("--state-dir", flags.state_dir),
        ("--config", flags.config_path),
    )
    found = [word for option, value in named if value for word in (option, str(value))]
    return [*found, "--dev"] if flags.dev else found


def for_runtime(text: str, flags: Flags) -> str:
    """Return ``text`` with these options in each ``trunkline`` command that has none."""
    options = options_of(flags)
    if not options:
        return text
    return _COMMAND.sub(lambda _: f"trunkline {shlex.join(options)} ", text)
