"""Passes changes by a person to the supervisor with the person's name, and logs them.

The person's device and client are recorded in the history of changes, in that of the account
concerned, and in the gateway's own log. Changes that the supervisor carries out it records itself;
those of the gateway have the decorator ``changes``, or call ``add_note``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any
from unicodedata import category

import msgspec
import structlog

from runtime.gateway.clients.method_table import Function
from runtime.gateway.device_pairing import device_named
from runtime.gateway.parts import GatewayParts
from runtime.gateway.presence import shown_name
from runtime.gateway.supervisor_link import ASK_SECONDS, send_note

NAME_CHARACTERS = 40
FILLERS = "\u115f\u1160\u3164\uffa0\u2800"  # letters to Unicode, and nothing on a screen
SESSION_CHARACTERS = 80
PEOPLE = {"direct", "group", "channel", "openai-user", "openresponses-user"}  # in a session's key
BY_HTTP = "a request by HTTP"

log = structlog.get_logger("gateway.changes")


def person_behind(parts: GatewayParts, client: Any) -> str:
    """Describe the person behind a client: ``Ada's laptop ("Console in Chrome", device 1a2b3c4d)``.

    ``client`` is a connected one, or who asks by HTTP. The name that operators have given its
    device comes first: what a client calls itself proves nothing, so that stands in quotes.
    """
    if getattr(client, "connect", None) is None:
        return BY_HTTP
    known = None if client.device is None else parts.registry.devices.get(client.device)
    label, name = known.operator_label if known else None, claimed(shown_name(client))
    device = device_named(client.device) if client.device else None
    address = f"at {client.address}" if client.address else None
    details = ", ".join(filter(None, (name if label else None, device, address)))
    return f"{label or name} ({details})" if details else label or name


def claimed(name: str) -> str:
    """Return the name that a client gives itself, quoted and cut to 40 characters.

    So it passes for no device, no address and no command line, and pushes nothing out of a line.
    """
    text = "".join(" " if category(each)[0] in "ZC" or each in FILLERS else each for each in name)
    text = " ".join(text.split()).replace('"', "'")
    return f'"{text if len(text) <= NAME_CHARACTERS else text[: NAME_CHARACTERS - 1] + "…"}"'


def log_change(parts: GatewayParts, client: Any, change: str, **about: Any) -> str:
    """Log a change by a person; return the person's description."""
    by = person_behind(parts, client)
    log.info("change requested by a person", change=change, by=by, **about)
    return by


async def ask_for(
    parts: GatewayParts, client: Any, name: str, params: Any, seconds: float = ASK_SECONDS
) -> msgspec.Raw:
    """Request a change of the supervisor in a person's name; return its answer as JSON text."""
    about = {key: params[key] for key in ("accounts", "account", "reason") if params.get(key)}
    by = log_change(parts, client, name, **about)
    return await parts.supervisor.ask_raw(name, params, seconds, by=by)


def changes(describe: Callable[[Any, Any], str]) -> Callable[[Function], Function]:
    """Return the decorator of a method by which a person changes something in the gateway.

    ``describe`` makes the sentence for the history from the params and the answer; an empty one
    where nothing has changed. It must not name people who write to an account.
    """

    def wrap(function: Function) -> Function:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def waiting(parts: GatewayParts, client: Any, params: Any) -> Any:
                answer = await function(parts, client, params)
                _add_nonempty_note(parts, client, describe(params, answer))
                return answer

            return waiting

        @wraps(function)
        def plain(parts: GatewayParts, client: Any, params: Any) -> Any:
            answer = function(parts, client, params)
            _add_nonempty_note(parts, client, describe(params, answer))
            return answer

        return plain

    return wrap


def _add_nonempty_note(parts: GatewayParts, client: Any, text: str) -> None:
    if text:
        add_note(parts, client, None, text)


def session_named(key: str) -> str:
    """Return the description of a session for the history, without its person or group.

    A person who is erased from the journal would stay in the history.
    """
    words = key.split(":")
    for place, word in enumerate(words):
        if word in PEOPLE and place + 1 < len(words):
            return f"session {':'.join(words[: place + 1])}:…"
    return f"session {key if len(key) <= SESSION_CHARACTERS else key[:SESSION_CHARACTERS] + '…'}"


def describe_session(done: str, where: str | None = None) -> Callable[[Any, Any], str]:
    """Return the function by which ``changes`` describes what was done with a session.

    ``where`` is the field of the answer that is true where it was done.
    """

    def describe(params: Any, answer: Any) -> str:
        if where is not None and not answer[where]:
            return ""
        return f"{session_named(answer['key'])} was {done}"

    return describe


def add_note(parts: GatewayParts, client: Any, account: str | None, text: str) -> None:
    """Add a change by a person to the history, of an ``account`` or of none.

    Nothing waits for it; if the supervisor cannot be reached, only the log has it. It must not name
    people who write to the account: one who is erased from the journal would stay in the history.
    """
    about = {} if account is None else {"account": account}
    by = log_change(parts, client, text, **about)
    parts.jobs.start(send_note(parts.supervisor, text, by=by, account=account))
