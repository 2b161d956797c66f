"""The gateway's requests to the supervisor."""

from __future__ import annotations

import asyncio

import pytest

from ipc.errors import RemoteError
from tests.support.gateway_rig import gateway_rig


async def test_without_the_supervisor_a_stop_fails_at_once() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        assert rig.supervisor is not None
        await rig.supervisor.close()
        with pytest.raises(RemoteError) as failure:
            await client.call("channels.stop", {"channel": "irc"})
        assert failure.value.code == "UNAVAILABLE"
        assert failure.value.retryable


async def test_a_session_that_ends_fails_what_it_was_asked() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        asking = asyncio.create_task(client.call("channels.stop", {"channel": "irc"}))
        await rig.asked.get()
        assert rig.supervisor is not None
        await rig.supervisor.close()
        with pytest.raises(RemoteError, match="may have been executed"):
            await asking
