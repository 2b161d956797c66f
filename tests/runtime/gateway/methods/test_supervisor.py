"""The supervisor's private methods."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from tests.support.gateway_rig import gateway_rig


async def test_the_private_exchange_is_nobody_elses() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        for name in (
            "channels.report",
            "supervisor.result",
            "gateway.closing",
            "device.bootstrap.create",
        ):
            with pytest.raises(RemoteError, match=f"unknown method: {name}"):
                await client.call(name, {})
