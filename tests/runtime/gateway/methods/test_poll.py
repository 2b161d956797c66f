"""``poll``, over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from tests.support.account_calls import calls_of, can
from tests.support.gateway_rig import gateway_rig

POLL = {"to": "777", "question": "Lunch?", "options": ["a", "b"], "idempotencyKey": "p-1"}


async def test_a_question_is_sent_where_the_channel_can() -> None:
    async with gateway_rig() as rig:
        calls, client = await calls_of(rig), await rig.client()
        with pytest.raises(RemoteError, match="does not support poll"):
            await client.call("poll", POLL)
        can(rig, "send", also=["poll"])
        more = {"maxSelections": 2, "durationHours": 1, "channel": "irc"}
        answer = await client.call("poll", POLL | more)
        assert answer == {
            "runId": "p-1",
            "messageId": "m-1",
            "channel": "irc",
            "chatId": "#room",
        }
        poll = {"question": "Lunch?", "options": ["a", "b"], "multiple": True, "seconds": 3600}
        assert calls == [("send", {"to": "777", "text": "", "key": "p-1", "poll": poll})]
        with pytest.raises(RemoteError, match="options"):
            await client.call("poll", POLL | {"options": ["a"]})
