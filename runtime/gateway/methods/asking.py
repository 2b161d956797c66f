"""Passes changes by a person to the supervisor with the person's name, and logs them.

Device and client of whoever asks stand in the history of changes, in that of the account which it
is about, and in the gateway's own log. What the supervisor carries out it enters itself; what the
gateway does has the decorator ``changes``, or calls ``note``.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any
from unicodedata import category

import msgspec
import structlog

from ipc.errors import IpcError
from runtime.gateway.clients.method_table import Function
from runtime.gateway.parts import GatewayParts
from runtime.gateway.presence import shown_name
from runtime.gateway.supervisor_link import ASK_SECONDS

DEVICE_DIGITS = 8
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
    device = f"device {client.device[:DEVICE_DIGITS]}" if client.device else None
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


def record(parts: GatewayParts, client: Any, change: str, **about: Any) -> str:
    """Log a change by a person; return the person's description."""
    by = person_behind(parts, client)
    log.info("asked for by a person", change=change, by=by, **about)
    return by


async def ask_for(
    parts: GatewayParts, client: Any, name: str, params: Any, seconds: float = ASK_SECONDS
) -> msgspec.Raw:
    """Ask the supervisor for a change in a person's name; return its answer as JSON text."""
    about = {key: params[key] for key in ("accounts", "account", "reason") if params.get(key)}
    by = record(parts, client, name, **about)
    return await parts.supervisor.ask_raw(name, params, seconds, by=by)


def changes(tell: Callable[[Any, Any], str]) -> Callable[[Function], Function]:
    """Return the decorator of a method by which a person changes something in the gateway.

    ``describe`` makes the sentence for the history of its params and its answer; an empty one where
    nothing has changed. It names nobody who writes to an account.
    """

    def wrap(function: Function) -> Function:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def waiting(parts: GatewayParts, client: Any, params: Any) -> Any:
                answer = await function(parts, client, params)
                _tell(parts, client, tell(params, answer))
                return answer

            return waiting

        @wraps(function)
        def plain(parts: GatewayParts, client: Any, params: Any) -> Any:
            answer = function(parts, client, params)
            _tell(parts, client, tell(params, answer))
            return answer

        return plain

    return wrap


def _tell(parts: GatewayParts, client: Any, text: str) -> None:
    if text:
        note(parts, client, None, text)


def device_named(device: str) -> str:
    """Return the description of a device, or a node, for the history."""
    return f"device {device[:DEVICE_DIGITS]}"


def session_named(key: str) -> str:
    """Return the description of a session for the history, without its person or group.

    Whoever is forgotten would stay in it.
    """
    words = key.split(":")
    for place, word in enumerate(words):
        if word in PEOPLE and place + 1 < len(words):
            return f"session {':'.join(words[: place + 1])}:…"
    return f"session {key if len(key) <= SESSION_CHARACTERS else key[:SESSION_CHARACTERS] + '…'}"


def session_was(done: str, where: str | None = None) -> Callable[[Any, Any], str]:
    """Return the function by which ``changes`` describes what was done with a session.

    ``where`` is the field of the answer that is true where it was done.
    """

    def tell(params: Any, answer: Any) -> str:
        if where is not None and not answer[where]:
            return ""
        return f"{session_named(answer['key'])} was {done}"

    return tell


def note(parts: GatewayParts, client: Any, account: str | None, text: str) -> None:
    """Enter a change by a person in the history, of an ``account`` or of none.

    Nothing waits for it, and where the supervisor cannot be asked, the log alone has it. It names
    nobody who writes to the account: whoever is forgotten would stay in it.
    """
    about = {} if account is None else {"account": account}
    by = record(parts, client, text, **about)

    async def enter() -> None:
        with contextlib.suppress(IpcError):
            await parts.supervisor.ask("channels.note", {**about, "text": text}, by=by)

    parts.jobs.start(enter())
