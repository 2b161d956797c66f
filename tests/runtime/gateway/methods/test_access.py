"""``channels.access``, over real sockets."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from tests.support.gateway_rig import INBOUND_ADDRESSED, gateway_rig, payload, row, single
from tests.support.rig_agent import echo_agent
from tests.support.until import until

KEY = "irc:libera"
NOBODY = {KEY: {"dm": "allowlist", "group": "allowlist", "sources": {"dmPolicy": "here.dmPolicy"}}}


async def test_lists_that_admit_nobody_and_what_they_have_dropped_are_shown() -> None:
    async with gateway_rig() as rig:
        rig.parts.agents.configure({"default": "echo"})
        worker = await rig.worker(KEY)
        await echo_agent(rig)
        await rig.report(row(KEY), access=NOBODY)
        for seq in (1, 2):
            worker.send(single(seq, INBOUND_ADDRESSED, payload(KEY, seq)))
        gatekeeper = rig.parts.gatekeeper
        await until(lambda: gatekeeper.figures(KEY).get("drop") == {"dm-not-listed": 2})
        (shown,) = (await (await rig.client()).call("channels.access", {}))["accounts"]
    assert (shown["account"], shown["agent"]) == (KEY, "echo")
    assert (shown["dmPolicy"], shown["allowFrom"]) == ("allowlist", None)
    direct, groups = shown["closed"]
    assert direct.startswith("no direct message is answered: here.dmPolicy is allowlist")
    assert groups.startswith("no message in a group is answered")
    assert shown["dropped"] == [
        {"reason": "dm-not-listed", "text": "the sender is not listed", "count": 2}
    ]


async def test_lists_are_shown_as_they_count() -> None:
    listed = {"dm": "open", "allow_from": ["1", "2"], "group": "open", "groups": {"#a": {}}}
    async with gateway_rig() as rig:
        await rig.report(row(KEY), access={KEY: listed})
        client = await rig.client()
        (shown,) = (await client.call("channels.access", {"channel": "irc"}))["accounts"]
        assert (shown["allowFrom"], shown["groups"], shown["closed"]) == (
            ["1", "2"],
            {"#a": {}},
            [],
        )
        with pytest.raises(RemoteError, match=r"invalid channels\.access channel"):
            await client.call("channels.access", {"channel": "nothing"})
