"""``metrics.history`` over a connection."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from tests.support.gateway_rig import gateway_rig, row

KEY = "irc:libera"


async def test_the_past_of_the_figures_is_answered() -> None:
    async with gateway_rig(row(KEY, rss_bytes=4096)) as rig:
        client = await rig.client()
        now = now_ms()
        await rig.parts.figures.history.add_slot(now - now % 10_000)  # the last whole slot
        found = await client.call("metrics.history", {"series": ["rss", "in"]})
        assert (found["keys"], list(found["series"])) == ([KEY], ["rss", "in"])
        assert [points[0][0] for points in found["series"].values()] == [4, None]
        assert found["stepMs"] == 10_000
        assert (await client.call("metrics.history", {"range": "24h"}))["stepMs"] == 300_000


@pytest.mark.parametrize(
    "wrong",
    [{"range": "7d"}, {"series": []}, {"series": ["memory"]}, {"points": 0}, {"keys": [""]}],
)
async def test_what_there_is_no_history_of_is_refused(wrong: dict[str, Any]) -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        with pytest.raises(RemoteError, match=r"invalid metrics\.history params"):
            await client.call("metrics.history", wrong)
