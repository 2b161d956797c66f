"""Prints the failure of a command on stderr and chooses its exit code."""

from __future__ import annotations

import re
import sys
from typing import Any

import typer

from ops.exits import ExitCode, OperatorError
from runtime.supervisor.process_setup import write_error

SHOWN = 500  # characters of a complaint's line, from its beginning and from its end
_SUGGESTION = re.compile(r"\. Did you mean (.*)\?\Z")  # typer's, in the form of our own
_TIMEOUT_CODES = frozenset({"TIMEOUT", "AGENT_TIMEOUT"})


def report(error: Exception) -> ExitCode:
    """Print a sentence about ``error``, and what to do next, on stderr; return the exit code."""
    if isinstance(error, OperatorError):
        return _fail(str(error), error.exit, error)
    if isinstance(error, typer.TyperException):
        if type(error).__name__ == "NoArgsIsHelpError":
            write_error(error.format_message())
            return ExitCode.USAGE
        return _fail(_usage(error), ExitCode(error.exit_code), error)
    return _fail(*sentence(error), error)


def sentence(error: BaseException) -> tuple[str, ExitCode]:
    """Return the sentence and exit code for an exception other than ``OperatorError``."""
    # late: a command that fails in a foreseen way need not load the errors of all packages
    from ipc.errors import CallTimeout, ConnectionFailed, PeerGone, RemoteError
    from ipc.frames.words import INVALID_REQUEST
    from ipc.permissions import describe

    match error:
        case CallTimeout() | TimeoutError():
            return str(error) or "no answer in time", ExitCode.TIMEOUT
        case RemoteError(code=code):
            # A refusal is a sentence for people; other codes name the process that failed.
            text = error.message if code == INVALID_REQUEST else str(error)
            return text, ExitCode.TIMEOUT if code in _TIMEOUT_CODES else ExitCode.ERROR
        case ConnectionFailed(retryable=True):
            return str(error), ExitCode.NOT_RUNNING
        case ConnectionFailed() | PeerGone():
            return str(error), ExitCode.ERROR
        case OSError(strerror=str()):
            return describe(error), ExitCode.ERROR
    # by name: a command that fails otherwise need not load the configuration's package
    if any(each.__name__ == "ConfigError" for each in type(error).__mro__):
        return str(error), ExitCode(getattr(error, "exit_code", ExitCode.CONFIGURATION))
    return f"{type(error).__name__}: {error} (this is a bug in trunkline)", ExitCode.ERROR


def shortened(line: str) -> str:
    """Return ``line`` with its middle left out if it is very long."""
    if len(line) <= 2 * SHOWN:
        return line
    return f"{line[:SHOWN]} […] {line[-SHOWN:]}"


def _usage(error: typer.TyperException) -> str:
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context else "trunkline"
    message = error.format_message().strip().rstrip(".")
    message = _SUGGESTION.sub(r" (did you mean \1?)", message)
    return f"{message}; see `{command} --help`"


def _fail(message: str, code: ExitCode, error: Exception) -> ExitCode:
    from ops.output.commands import ending_with_step, for_runtime
    from ops.output.paragraphs import filled
    from ops.output.text import clean

    message = ending_with_step(message, code, error)
    for line in message.splitlines() or [""]:  # a configuration has a line for each problem
        shown = for_runtime(clean(shortened(line)))
        write_error(filled("trunkline: ", shown, stream=sys.stderr))
    return code
