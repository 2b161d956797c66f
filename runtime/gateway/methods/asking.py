"""Passes on what a person changes together with who that is, and keeps it in the log.

Device and client of whoever asks stand in the history of the account then, where they are looked
for when somebody wonders why it was stopped, and in the gateway's own log for whatever it was.
"""

from __future__ import annotations

import contextlib
from typing import Any
from unicodedata import category

import msgspec
import structlog

from ipc.errors import IpcError
from runtime.gateway.parts import GatewayParts
from runtime.gateway.presence import shown_name
from runtime.gateway.supervisor_link import ASK_SECONDS

DEVICE_DIGITS = 8
NAME_CHARACTERS = 40
FILLERS = "\u115f\u1160\u3164\uffa0\u2800"  # letters to Unicode, and nothing on a screen
BY_HTTP = "a request by HTTP"

log = structlog.get_logger("gateway.changes")


def person_behind(parts: GatewayParts, client: Any) -> str:
    """Return device and client in words: ``Ada's laptop ("Console in Chrome", device 1a2b3c4d)``.

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
    """Return the name that a client gives itself as a quotation of at most 40 characters.

    So it passes for no device, no address and no command line, and pushes nothing out of a line.
    """
    text = "".join(" " if category(each)[0] in "ZC" or each in FILLERS else each for each in name)
    text = " ".join(text.split()).replace('"', "'")
    return f'"{text if len(text) <= NAME_CHARACTERS else text[: NAME_CHARACTERS - 1] + "…"}"'


def record(parts: GatewayParts, client: Any, change: str, **about: Any) -> str:
    """Write into the log what a person changes; return who that is."""
    by = person_behind(parts, client)
    log.info("asked for by a person", change=change, by=by, **about)
    return by


async def ask_for(
    parts: GatewayParts, client: Any, name: str, params: Any, seconds: float = ASK_SECONDS
) -> msgspec.Raw:
    """Have the supervisor make a change for a person; return its answer as JSON text."""
    about = {key: params[key] for key in ("accounts", "account", "reason") if params.get(key)}
    by = record(parts, client, name, **about)
    return await parts.supervisor.ask_raw(name, params, seconds, by=by)


def note(parts: GatewayParts, client: Any, account: str, text: str) -> None:
    """Enter into an account's history what the gateway itself has changed of it for a person.

    Nothing waits for it, and where the supervisor cannot be asked, the log alone has it. It names
    nobody who writes to the account: whoever is forgotten would stay in it.
    """
    by = record(parts, client, text, account=account)

    async def enter() -> None:
        with contextlib.suppress(IpcError):
            entry = {"account": account, "text": text}
            await parts.supervisor.ask("channels.note", entry, by=by)

    parts.jobs.start(enter())
