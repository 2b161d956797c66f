"""Calls the gateway for a command, and prints the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.commands.option_groups import RuntimeOptions
from ops.output.show import show_json


def call_gateway(
    options: RuntimeOptions, method: str, params: Mapping[str, Any], timeout: float = 30.0
) -> Any:
    """Call ``method`` of the gateway that the options name; return its answer.

    ``timeout`` is in seconds. Raises ``OperatorError`` for an unknown account and for no answer in
    time, ``RemoteError`` for other refusals.
    """
    from ops.actions.ask import ask_gateway  # late: a command's --help needs no connection

    return ask_gateway(options.target, method, params, timeout)


def call_and_show(
    options: RuntimeOptions, method: str, params: Mapping[str, Any], done: str
) -> None:
    """Call ``method``; print ``done``, or the answer with ``--json``."""
    show_done(options, call_gateway(options, method, params), done)


def show_done(options: RuntimeOptions, answer: Any, done: str) -> None:
    """Print the sentence ``done``, or ``answer`` with ``--json``."""
    if options.json:
        show_json(answer)
    else:
        print(done)
