"""Exit codes of ``trunkline``, and the one way every command fails.

Stable, because cron jobs and other people's automation read them. The table with what to
do about each stands in docs/operations.md; a test compares the two.
"""

from __future__ import annotations

from enum import IntEnum

from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR, EXIT_OK


class Exit(IntEnum):
    """What a finished command tells its caller."""

    OK = EXIT_OK
    ERROR = EXIT_ERROR
    USAGE = 2
    NOT_RUNNING = 3
    TIMEOUT = 4
    CONFIGURATION = EXIT_CONFIG
    INTERRUPTED = 130  # Ctrl-C, as every shell has it


class OperatorError(Exception):
    """A failure told in one sentence on stderr; ``exit`` becomes the exit code."""

    def __init__(self, message: str, exit: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.exit = exit


class UsageFailure(OperatorError):
    """The command line itself is wrong in a way its parser could not see."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.USAGE)
