"""Defines the errors of unusable configurations, with every problem and its place. Pure.

Written for the operator who must correct the file, so a problem names the file, the path
inside it, what is wrong and what is allowed. It never shows the value of a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. ``path`` is like ``channels.irc.accounts.libera.port``.

    An empty ``path`` means the file as a whole. ``line`` counts from 1, where it is known.
    """

    path: str
    text: str
    line: int | None = None

    def __str__(self) -> str:
        shown = f"{self.path}: {self.text}" if self.path else self.text
        # A key in the file may hold anything, a terminal's control characters too.
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)


class ConfigError(Exception):
    """The error of an unusable configuration. ``source`` is the file or another source."""

    exit_code = EXIT_CONFIG

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        return "\n".join(
            f"{self.source}{f':{problem.line}' if problem.line else ''}: {problem}"
            for problem in self.problems
        )


class ConfigUnwritten(ConfigError):
    """A valid configuration that could not be written, for example on a full disk."""

    exit_code = EXIT_ERROR


def config_error(source: object, text: str, path: str = "") -> ConfigError:
    """Return a ``ConfigError`` with one problem; without ``path`` the file as a whole is wrong."""
    return ConfigError(str(source), [Problem(path, text)])
