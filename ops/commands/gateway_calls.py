"""Calls the gateway for a command, and prints the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.commands.option_groups import RuntimeOptions
from ops.exits import OperatorError
from ops.output.show import show_json
from ops.output.text import clean

# How refusals begin and end by which a gateway says that it does not have what is named.
UNKNOWN = ("unknown ", "node not connected", "node pairing changed")
UNKNOWN_ENDS = (" denied", " not found")


def call_gateway(
    options: RuntimeOptions,
    method: str,
    params: Mapping[str, Any],
    timeout: float = 30.0,
    *,
    rows: str | None = None,
    listed_by: str | None = None,
) -> Any:
    """Call ``method`` of the gateway that the options name; return its answer.

    ``timeout`` is in seconds; ``rows`` names the field of a list that the params filter, and
    ``listed_by`` the command that lists what may be named. Raises ``OperatorError`` for an unknown
    account or agent and for no answer in time, ``RemoteError`` for other refusals.
    """
    from ipc.errors import RemoteError  # late: a command's --help needs no connection
    from ops.actions.ask import ask_gateway

    try:
        return ask_gateway(options.target, method, params, timeout, rows=rows)
    except RemoteError as error:
        said = error.message
        if listed_by is None or not (said.startswith(UNKNOWN) or said.endswith(UNKNOWN_ENDS)):
            raise
        raise OperatorError(f"{said}; `trunkline {listed_by}` shows them") from None


def call_and_show(
    options: RuntimeOptions,
    method: str,
    params: Mapping[str, Any],
    done: str,
    *,
    listed_by: str | None = None,
) -> None:
    """Call ``method``; print ``done``, or the answer with ``--json``."""
    show_done(options, call_gateway(options, method, params, listed_by=listed_by), done)


def show_done(options: RuntimeOptions, answer: Any, done: str) -> None:
    """Print the sentence ``done``, or ``answer`` with ``--json``."""
    if options.json:
        show_json(answer)
    else:
        print(clean(done))  # it may have the names of other people, and of platforms
