"""``local.say``, over real sockets: the account's socket is played."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.endpoints import socket_path
from ipc.errors import RemoteError
from tests.runtime.gateway.accounts.test_local_people import site
from tests.support.gateway_rig import gateway_rig, row
from tests.support.until import until

KEY = "local:home"
LOCAL: dict[str, Any] = {
    "id": "local",
    "label": "Local",
    "detailLabel": "Local socket",
    "systemImage": "terminal",
    "defaultAccount": None,
    "accounts": ["home"],
}
SAID: dict[str, Any] = {"accountId": "home", "name": "ada", "text": "hello\n\nthere"}


async def test_an_administrator_talks_to_an_account_as_a_person() -> None:
    async with gateway_rig() as rig:
        await rig.report(row(KEY), channels=[LOCAL])
        client = await rig.client()
        path = socket_path(rig.parts.boot.data).parent / "local-home.sock"
        async with site(path) as account:
            answer = await client.call("local.say", SAID)
            assert answer == {"account": KEY, "chat": "ada", "lines": 2}
            await until(lambda: account.heard == ["hello", "there"])
            for wrong, why in (
                ({"text": "/nick eve"}, "for terminals"),
                ({"text": " \n"}, "for terminals"),
                ({"name": "a b"}, "one word"),
                ({"accountId": "none"}, "none"),
            ):
                with pytest.raises(RemoteError, match=why):
                    await client.call("local.say", SAID | wrong)
            await rig.report(row(KEY, phase="stopped"))
            with pytest.raises(RemoteError, match="local:home is stopped"):
                await client.call("local.say", SAID)
            rig.parts.local_people.close()
            await until(lambda: account.left == 1)
        reader = await rig.client(scopes=["operator.read", "operator.write"])
        with pytest.raises(RemoteError, match="missing scope"):
            await reader.call("local.say", SAID)
