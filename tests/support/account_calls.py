"""Calls of the gateway to an account, answered by a worker of the test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.data import Answer, Call
from tests.support.gateway_rig import GatewayRig

KEY = "irc:libera"
SENT = b'{"id":"m-1","chat":"#room","ts":5}'


async def calls_of(rig: GatewayRig, answer: bytes = SENT, *, ok: bool = True) -> list[Any]:
    """Return the list to which the account's calls are added; each gets the same answer."""
    worker, found = await rig.worker(KEY), []

    def on_call(call: Call) -> Answer:
        found.append((call.method, msgspec.json.decode(call.params)))
        return Answer(call.id, ok, answer)

    worker.on_call = on_call
    return found


def can(rig: GatewayRig, *actions: str, also: Iterable[str] = ()) -> None:
    """Give the channel the abilities ``actions`` and ``also``, as its manifest would."""
    shown = {"can": sorted({*actions, *also} - {"send"})}
    names = ("irc", "IRC", "IRC network", "number", "libera")
    info = ChannelInfo(*names, ["libera"], list(actions), shown)
    rig.parts.accounts.set_channels([info])


def action(name: str, **inner: Any) -> dict[str, Any]:
    return {"channel": "irc", "action": name, "params": inner, "idempotencyKey": "k-1"}
