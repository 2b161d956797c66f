"""What clients choose from, over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.errors import RemoteError
from tests.support.gateway_rig import gateway_rig

MODEL = {"id", "name", "provider", "reasoning", "thinkingLevels", "thinkingDefault", "available"}
COMMAND = {"name", "nativeName", "textAliases", "description", "category", "source", "scope"}


async def test_models_commands_and_tools_are_listed() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client(scopes=["operator.read"])

        async def listed(method: str, **params: Any) -> Any:
            return await client.call(method, params)

        (model,) = (await listed("models.list", view="all"))["models"]
        assert model.keys() >= MODEL
        assert (model["id"], model["tags"], model["available"]) == ("echo", ["default"], True)
        assert (await listed("models.list", agentId="nobody"))["models"] == []
        commands = (await listed("commands.list"))["commands"]
        assert all(each.keys() >= COMMAND for each in commands)
        assert await listed("chat.metadata") == {"models": [model], "commands": commands}
        tools = await listed("tools.catalog", agentId="main")
        assert tools == {"agentId": "echo", "profiles": [], "groups": []}
        with pytest.raises(RemoteError, match="unknown agent id"):
            await listed("tools.catalog", agentId="nobody")
