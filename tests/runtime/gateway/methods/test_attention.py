"""``attention``, over real sockets."""

from __future__ import annotations

from typing import Any

from tests.support.gateway_rig import INBOUND_ADDRESSED, gateway_rig, payload, row, single
from tests.support.rig_agent import echo_agent
from tests.support.until import until

KEY, OTHER = "irc:libera", "irc:oftc"
NOTHING: dict[str, Any] = {
    "deadLetters": {"count": 0, "states": {}},
    "pairing": 0,
    "closed": [],
}


async def test_who_answers_nobody_at_all_is_there_before_a_message_has_come() -> None:
    shut = {"dm": "allowlist", "group": "allowlist"}
    half = {"dm": "pairing", "group": "allowlist"}
    meant = {"dm": "disabled", "group": "disabled"}
    keys = ("irc:shut", "irc:half", "irc:meant", "irc:groups", "irc:held")
    async with gateway_rig() as rig:
        rig.parts.agents.configure({"default": "echo"})
        await echo_agent(rig)
        rows = [row(key, wanted=key != "irc:held") for key in keys]
        groups = shut | {"dm": "disabled"}
        access = dict(zip(keys, (shut, half, meant, groups, shut), strict=True))
        await rig.report(*rows, access=access)
        client = await rig.client()
        found = (await client.call("attention", {}))["closed"]
        assert [each["account"] for each in found] == ["irc:shut", "irc:groups"]
        assert {each["messages"] for each in found} == {0}


async def test_a_list_that_admits_nobody_counts_once_it_has_cost_messages() -> None:
    closed = {"dm": "allowlist", "group": "allowlist"}
    async with gateway_rig() as rig:
        rig.parts.agents.configure({"default": "echo"})
        worker = await rig.worker(KEY)
        await echo_agent(rig)
        await rig.report(row(KEY), row(OTHER), access={KEY: closed, OTHER: closed})
        client = await rig.client()
        assert await client.call("attention", {}) == NOTHING
        for seq in (1, 2):
            worker.send(single(seq, INBOUND_ADDRESSED, payload(KEY, seq)))
        gatekeeper = rig.parts.gatekeeper
        await until(lambda: gatekeeper.figures(KEY).get("drop") == {"dm-not-listed": 2})
        found = await client.call("attention", {})
        assert found == NOTHING | {"closed": [{"account": KEY, "messages": 2}]}
        listed = closed | {"allow_from": ["1"], "group": "disabled"}
        await rig.report(row(KEY), row(OTHER), access={KEY: listed, OTHER: closed})
        assert await client.call("attention", {}) == NOTHING
