"""Defines the exit codes of ``trunkline``, and the exceptions that carry one.

Stable, because cron jobs and other people's automation read them. The table with what to
do about each is in docs/operations.md; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR, EXIT_OK


class ExitCode(IntEnum):
    """The exit codes of commands."""

    OK = EXIT_OK
    ERROR = EXIT_ERROR
    USAGE = 2
    NOT_RUNNING = 3
    TIMEOUT = 4
    CONFIGURATION = EXIT_CONFIG
    INTERRUPTED = 130  # Ctrl-C, as every shell has it


EXIT_MEANINGS = {
    ExitCode.OK: "Done; with --wait and wait: the state is reached.",
    ExitCode.ERROR: "The command was understood, but could not be done.",
    ExitCode.USAGE: "The command line is wrong.",
    ExitCode.NOT_RUNNING: "No supervisor runs for this state directory, or no gateway answers.",
    ExitCode.TIMEOUT: "No answer, or the state was not reached in time. It may still happen.",
    ExitCode.CONFIGURATION: "The configuration is wrong or missing; nothing was changed.",
    ExitCode.INTERRUPTED: "Ctrl-C in an unfinished command.",
}


class OperatorError(Exception):
    """A failure with one sentence for stderr; ``exit`` becomes the exit code."""

    def __init__(self, message: str, exit: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(message)
        self.exit = exit


class UnknownName(OperatorError):
    """A name of nothing that exists (``what`` it should be); the sentence lists the ``known``."""

    def __init__(self, what: str, name: str, known: Sequence[str]) -> None:
        from runtime.config.wording import known_names  # late: only what is wrong needs it

        listed_by = "agents list" if what == "agent" else "channels list"
        super().__init__(f"unknown {what} {name!r}{known_names(name, known, listed_by)}")


class UsageFailure(OperatorError):
    """A mistake in the command line that its parser could not see; exit 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)
