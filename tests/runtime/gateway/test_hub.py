"""Events for all clients, published once for many changes."""

from __future__ import annotations

import msgspec

from tests.support.gateway_rig import TOKEN, gateway_rig
from tests.support.rawclient import RawClient


async def test_a_change_of_an_account_is_told_to_everybody_once() -> None:
    async with gateway_rig() as rig:
        client = await RawClient.open(rig.url)
        rig.opened.append(client)
        await client.hello(TOKEN)
        first = await client.event("health")
        for phase in ("stopping", "stopped"):
            row = rig.hub.accounts.rows["irc:libera"]

            changed = msgspec.to_builtins(row) | {"phase": phase}
            await rig.report(changed)
        second = await client.event("health")
        shown = second["payload"]["channels"]["irc"]["accounts"]["libera"]
        assert shown["running"] is False
        assert second["seq"] == first["seq"] + 1
        assert second["stateVersion"]["health"] == first["stateVersion"]["health"] + 2
