"""Defines how accounts configure groups that platforms call servers, workspaces, channels. Pure.

A manifest whose ``groups`` is ``channels`` or ``guilds`` has a field of that name in its struct:

    guilds: dict[str, GuildConfig] = {}

The gateway reads it; the plugin never sees it, and a change of it restarts nothing.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Entry = Annotated[str, Meta(min_length=1, max_length=300)] | int


class RoomConfig(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """The access rules of one channel of a server or a workspace.

    ``users`` are ids, ``roles`` too where there are any; together they name who is answered. Where
    neither is set, what is set around it counts.
    """

    enabled: Annotated[bool, Meta(description="Whether messages in this channel are answered.")] = (
        True
    )
    require_mention: Annotated[
        bool | None,
        Meta(
            description="Whether only messages that name the account are answered; without it "
            "the setting of the level above, by default true."
        ),
    ] = None
    users: Annotated[
        list[Entry] | None,
        Meta(
            description="Ids of people who are answered here; without it the setting of the "
            "level above."
        ),
    ] = None
    roles: Annotated[
        list[Entry] | None,
        Meta(
            description="Ids of roles whose members are answered here; without it the setting "
            "of the level above."
        ),
    ] = None


class GuildConfig(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """The access rules of one server; with ``channels`` only those channels are used."""

    require_mention: Annotated[
        bool | None,
        Meta(
            description="Whether only messages that name the account are answered in this "
            "server; without it true."
        ),
    ] = None
    users: Annotated[
        list[Entry] | None,
        Meta(
            description="Ids of people who are answered in this server; without `users` and "
            "`roles` everybody."
        ),
    ] = None
    roles: Annotated[
        list[Entry] | None,
        Meta(
            description="Ids of roles whose members are answered in this server; without "
            "`users` and `roles` everybody."
        ),
    ] = None
    channels: Annotated[
        dict[str, RoomConfig],
        Meta(
            description="Rules of single channels, by id or `*`; if there are any, only these "
            "channels are answered."
        ),
    ] = {}
