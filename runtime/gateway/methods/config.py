"""Reads and writes the configuration through the supervisor, and returns its schema.

The supervisor owns the file: it reads and writes it in a thread and applies the change. Its
answers pass undecoded, for a configuration may be large.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from ipc.frames.requests import NoParams, Number, PlaceParams, Text, ValidateParams, WriteParams
from ipc.websocket.long_messages import LONG_MESSAGE_BYTES
from runtime.config.files import MAX_BYTES
from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Repeat, method
from runtime.gateway.methods.asking import ask_for
from runtime.gateway.methods.request_parts import Free
from runtime.gateway.parts import GatewayParts

CONFIG_SECONDS = 60.0  # checking thousands of accounts takes some
# Of a request with the text of a file of the largest size, where half of it are escapes.
FILE_BYTES = 2 * MAX_BYTES + LONG_MESSAGE_BYTES
COPY_BYTES = 128 * 1024  # a larger configuration is sent once, not under all of its names
COPIES = ("parsed", "sourceConfig", "resolved", "runtimeConfig")


class ApplyParams(WriteParams):
    """The params of ``config.apply``; those about agents and delays are accepted and ignored."""

    session_key: str | UnsetType = UNSET
    delivery_context: Free | UnsetType = UNSET
    note: str | UnsetType = UNSET
    restart_delay_ms: Number | UnsetType = UNSET


class PatchParams(ApplyParams):
    """The params of ``config.patch``: ``raw`` is a merge patch (RFC 7396) in JSON5.

    Lists are always replaced.
    """

    replace_paths: Annotated[list[Text], Meta(max_length=256)] | UnsetType = UNSET


@method("config.get", READ, NoParams)
async def config_get(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the text and the values of the configuration file. Comments and secrets are
    replaced by `__OPENCLAW_REDACTED__`; `hash` is what a write must name.
    """
    raw = await parts.supervisor.ask_raw("config.get", {}, CONFIG_SECONDS)
    answer = msgspec.json.decode(raw, type=dict[str, Raw])
    values = answer["config"]
    if len(bytes(values)) <= COPY_BYTES:
        answer |= dict.fromkeys(COPIES, values)
    return answer


@method("config.set", ADMIN, WriteParams, most_bytes=FILE_BYTES)
async def config_set(parts: GatewayParts, client: ConnectedClient, params: WriteParams) -> Any:
    """Write the whole text, unless the file has changed since; redacted values are kept."""
    return await _write(parts, client, "config.set", params)


@method("config.apply", ADMIN, ApplyParams, most_bytes=FILE_BYTES)
async def config_apply(parts: GatewayParts, client: ConnectedClient, params: ApplyParams) -> Any:
    """Write the whole text as `config.set` does; either way it is applied at once."""
    return await _write(parts, client, "config.apply", params)


@method("config.patch", ADMIN, PatchParams, most_bytes=FILE_BYTES)
async def config_patch(parts: GatewayParts, client: ConnectedClient, params: PatchParams) -> Any:
    """Apply a merge patch to the text; everything else stays as written, including comments."""
    return await _write(parts, client, "config.patch", params)


@method(
    "config.validate", ADMIN, ValidateParams, ours=True, repeat=Repeat.ALWAYS, most_bytes=FILE_BYTES
)
async def config_validate(
    parts: GatewayParts, client: ConnectedClient, params: ValidateParams
) -> Any:
    """Answer with what `config.set` would change, or with `patch` what `config.patch` would. It
    names the accounts and agents `added`, `removed` and `changed`, and whether the `gateway` does
    `nothing`, would `restart` or `move`. `doubts` are secrets of these accounts whose format is
    wrong (`path`, `message`). A text that those would refuse is refused; nothing is written.
    """
    given = _given(params) | {"patch": params.patch}
    return await parts.supervisor.ask_raw("config.validate", given, CONFIG_SECONDS)


@method("config.schema", READ, NoParams)
async def config_schema(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the JSON Schema of the configuration, installed channels included."""
    return await parts.supervisor.ask_raw("config.schema", {}, CONFIG_SECONDS)


@method("config.schema.lookup", READ, PlaceParams)
async def config_schema_lookup(
    parts: GatewayParts, client: ConnectedClient, params: PlaceParams
) -> Any:
    """Answer with the schema at one path, such as `channels.irc.accounts.*`, and its keys."""
    given = {"path": params.path}
    return await parts.supervisor.ask_raw("config.schema.lookup", given, CONFIG_SECONDS)


async def _write(
    parts: GatewayParts, client: ConnectedClient, name: str, params: WriteParams
) -> Raw:
    return await ask_for(parts, client, name, _given(params), CONFIG_SECONDS)


def _given(params: WriteParams) -> dict[str, Any]:
    base = {} if params.base_hash is UNSET else {"baseHash": params.base_hash}
    return {"raw": params.raw, **base}
