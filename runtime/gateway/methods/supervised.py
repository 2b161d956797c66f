"""What the supervisor knows about accounts (ours): history, log lines, holds, reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from runtime.gateway.methods.table import Nothing, Strict, method
from runtime.gateway.scopes import ADMIN, READ

if TYPE_CHECKING:
    from runtime.gateway.client import Client

Key = Annotated[str, Meta(min_length=1, max_length=129)]


class One(Strict):
    """One account by its key."""

    account: Key


class Several(Strict):
    """Keys, bare channel names, or ``*``."""

    accounts: list[Key]


class Lines(Strict):
    """The last ``lines`` of these accounts; of every process when none is named."""

    accounts: list[Key] = []
    lines: Annotated[int, Meta(ge=1, le=10_000)] = 100


def _pass_on(name: str, scope: str, params: type[Strict]) -> None:
    @method(name, scope, params)
    async def ask(client: Client, params: Strict) -> Any:
        return await client.gateway.session.ask(name, msgspec.to_builtins(params))


_pass_on("channels.describe", READ, One)
_pass_on("channels.events", READ, One)
_pass_on("channels.logs", READ, Lines)
_pass_on("channels.holds", READ, Nothing)
_pass_on("channels.reset", ADMIN, Several)
