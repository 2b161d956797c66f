"""Defines the exit codes of ``trunkline``, and the exceptions that carry one.

Stable, because cron jobs and other people's automation read them. The table with what to
do about each is in docs/operations.md; a test compares the two.
"""

from __future__ import annotations

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
    ExitCode.OK: "It is done; with --wait and wait: it is so.",
    ExitCode.ERROR: "It was understood and could not be done.",
    ExitCode.USAGE: "The command line is wrong.",
    ExitCode.NOT_RUNNING: "No supervisor runs for this state directory, or no gateway answers.",
    ExitCode.TIMEOUT: "No answer, or not the wanted state, in time. It may still happen.",
    ExitCode.CONFIGURATION: "The configuration is wrong or missing; nothing was changed.",
    ExitCode.INTERRUPTED: "Ctrl-C in a command that was not finished.",
}


class OperatorError(Exception):
    """A failure with one sentence for stderr; ``exit`` becomes the exit code."""

    def __init__(self, message: str, exit: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(message)
        self.exit = exit


class UsageFailure(OperatorError):
    """A mistake in the command line that its parser could not see; exit 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)
