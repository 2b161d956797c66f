"""``config.get``, ``config.set``, ``config.patch``, ``config.apply``, ``config.schema*``.

The file is the supervisor's: it reads and writes, in a thread, and takes the change over.
Its answers pass unread, for a configuration may be large.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Nothing, Strict, method

WITHIN = 60.0  # seconds; checking thousands of accounts takes some
COPY_BYTES = 128 * 1024  # a larger configuration is told once, not under all of its names
COPIES = ("parsed", "sourceConfig", "resolved", "runtimeConfig")

Text = Annotated[str, Meta(min_length=1)]


class Set(Strict):
    """``raw`` is the whole text, JSON5 (TOML where the file is); ``base_hash`` that of the text
    it was made from.
    """

    raw: Text
    base_hash: Text | UnsetType = UNSET


class Place(Strict):
    """A path with dots; ``*``, or any name, where a name is free."""

    path: Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[A-Za-z0-9_./\[\]\-*]+$")]


class Apply(Set):
    """As ``config.set``; what concerns agents and delays is accepted and without a meaning."""

    session_key: str | UnsetType = UNSET
    delivery_context: dict[str, Any] | UnsetType = UNSET
    note: str | UnsetType = UNSET
    restart_delay_ms: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class Patch(Apply):
    """``raw`` is a merge patch (RFC 7396) in JSON5; lists are always replaced."""

    replace_paths: Annotated[list[Text], Meta(max_length=256)] | UnsetType = UNSET


@method("config.get", READ, Nothing)
async def config_get(client: ConnectedClient, params: Nothing) -> Any:
    """Answer with the file as written and its values, secrets as `__OPENCLAW_REDACTED__`, and
    the `hash` that a write must name.
    """
    raw = await client.hub.ask_supervisor("config.get", {}, WITHIN)
    answer = msgspec.json.decode(raw, type=dict[str, Raw])
    values = answer["config"]
    if len(bytes(values)) <= COPY_BYTES:
        answer |= dict.fromkeys(COPIES, values)
    return answer


@method("config.set", ADMIN, Set)
async def config_set(client: ConnectedClient, params: Set) -> Any:
    """Write the whole text, if nobody has changed it since; marks keep their secrets."""
    return await _write(client, "config.set", params)


@method("config.apply", ADMIN, Apply)
async def config_apply(client: ConnectedClient, params: Apply) -> Any:
    """Do as `config.set`; here every write is taken over at once."""
    return await _write(client, "config.apply", params)


@method("config.patch", ADMIN, Patch)
async def config_patch(client: ConnectedClient, params: Patch) -> Any:
    """Change what a merge patch names and leave the rest, comments too, as it is written."""
    return await _write(client, "config.patch", params)


@method("config.schema", READ, Nothing)
async def config_schema(client: ConnectedClient, params: Nothing) -> Any:
    """Answer with the JSON Schema of the configuration, installed channels included."""
    return await client.hub.ask_supervisor("config.schema", {}, WITHIN)


@method("config.schema.lookup", READ, Place)
async def config_schema_lookup(client: ConnectedClient, params: Place) -> Any:
    """Answer with one place of that schema and what is in it: `channels.irc.accounts.*`."""
    given = {"path": params.path}
    return await client.hub.ask_supervisor("config.schema.lookup", given, WITHIN)


async def _write(client: ConnectedClient, name: str, params: Set) -> Raw:
    given: dict[str, Any] = {"raw": params.raw}
    if params.base_hash is not UNSET:
        given["baseHash"] = params.base_hash
    return await client.hub.ask_supervisor(name, given, WITHIN)
