"""Pages of a transcript: read in parts, for few clients at once, and for none that is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.gateway.methods.transcript_pages import SLICE
from runtime.gateway.parts import MOST_PAGES
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted
from tests.support.until import until

KEY = "agent:echo:web1"


async def test_a_page_is_read_in_parts_and_not_much_more_than_goes_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client()
        await client.call("sessions.create", {"key": KEY})
        count = 3 * SLICE + 5
        for number in range(count):
            note = {"sessionKey": KEY, "message": f"note {number}"}
            await client.call("chat.inject", note)
        asked: list[int] = []
        journal = await rig.parts.asking.journal()
        entries = journal.entries

        async def counted(session: str, limit: int, **more: Any) -> Any:
            asked.append(limit)
            return await entries(session, limit, **more)

        monkeypatch.setattr(journal, "entries", counted)

        async def numbers(**params: int) -> tuple[list[int], Any]:
            page = await client.call("chat.history", {"sessionKey": KEY} | params)
            found = [row["content"][0]["text"] for row in page["messages"]]
            assert page["totalMessages"] == count
            return [int(each.removeprefix("note ")) for each in found], page.get("nextOffset")

        for limit, offset in [(1, 0), (SLICE, 0), (SLICE + 1, 1), (1000, 0), (7, 2 * SLICE - 3)]:
            end = count - offset
            begin = max(0, end - limit)
            found, follows = await numbers(limit=limit, offset=offset)
            assert found == [*range(begin, end)]
            assert follows == (count - begin if begin else None)
        assert await numbers(limit=5, offset=10_000) == ([], None)
        assert set(asked) == {SLICE}
        asked.clear()
        monkeypatch.setattr("runtime.gateway.methods.transcript_pages.MAX_PAGE", 100)
        await numbers(limit=1000)
        assert len(asked) == 1


async def test_few_are_read_at_once_and_none_for_a_client_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client()
        count = len(rig.parts.server.connections)
        other = await greeted(rig)
        await client.call("sessions.create", {"key": KEY})
        journal = await rig.parts.asking.journal()
        entries, go = journal.entries, asyncio.Event()
        begun = 0

        async def held(*args: Any, **more: Any) -> Any:
            nonlocal begun
            begun += 1
            await go.wait()
            return await entries(*args, **more)

        monkeypatch.setattr(journal, "entries", held)
        frame = {"type": "req", "method": "chat.history", "params": {"sessionKey": KEY}}
        for number in range(10):
            await other.send(frame | {"id": str(number)})
        await until(lambda: begun == MOST_PAGES)
        late = asyncio.ensure_future(client.call("chat.history", {"sessionKey": KEY}))
        other.socket.transport.abort()
        await until(lambda: len(rig.parts.server.connections) == count)
        go.set()
        assert (await late)["messages"] == []
        assert begun == MOST_PAGES + 1
