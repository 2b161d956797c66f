"""A program attached to a real gateway: the one of docs/agents.md, and what others are refused."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.client import Client
from ipc.errors import RemoteError
from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig, row

DOC = (Path(__file__).parents[4] / "docs" / "agents.md").read_text()
SHOUT = {"agentId": "shout"}
ASK = {"message": "hello there", "agentId": "shout", "idempotencyKey": "k"}
ROW = row("agent:shout", incarnation=9, wanted=True)


def example() -> dict[str, Any]:
    """Return what the program of the documentation defines."""
    section = DOC.partition("\n## `client`\n")[2]
    found = re.search(r"```python\n(.*?)```", section, re.S)
    assert found is not None
    names: dict[str, Any] = {"__name__": "example"}
    exec(found[1], names)
    return names


@asynccontextmanager
async def rig_with_agent(**entry: Any) -> AsyncIterator[GatewayRig]:
    shout = {"kind": "client", "attached": True, **entry}
    async with gateway_rig(agents="none") as rig:
        await rig.report(ROW, agents={"default": "shout", "entries": {"shout": shout}})
        yield rig


async def ended(client: Client, **more: Any) -> Any:
    """Return the last answer of ``agent``: the first one settles the call."""
    await client.call("agent", ASK | more)
    await client.call("agent.wait", {"runId": (ASK | more)["idempotencyKey"], "timeoutMs": 20_000})
    return await client.call("agent", ASK | more)


async def attached(rig: GatewayRig) -> list[str]:
    """Return the agents that the supervisor was told of last."""
    while True:
        asked = await rig.asked.get()
        if asked["method"] == "agents.attached":
            agents: list[str] = asked["params"]["agents"]
            return agents


async def test_the_program_of_the_documentation_answers_over_a_lost_session() -> None:
    async with rig_with_agent() as rig:
        client = await rig.client()
        waiting = asyncio.ensure_future(ended(client))
        before = set(rig.parts.server.connections)
        program = asyncio.ensure_future(example()["main"](rig.url, TOKEN))
        assert await attached(rig) == ["agent:shout"]
        assert (await waiting)["result"]["payloads"][0]["text"] == "HELLO THERE"
        (its,) = rig.parts.server.connections - before
        its.transport.abort()
        assert await attached(rig) == []
        assert await attached(rig) == ["agent:shout"]
        answer = await ended(client, idempotencyKey="k2", message="again")
        assert answer["result"]["payloads"][0]["text"] == "AGAIN"
        program.cancel()
        await asyncio.wait([program])
        assert await attached(rig) == []


async def test_a_turn_ends_with_an_error_of_its_class_or_not_at_all() -> None:
    async with rig_with_agent() as rig:
        client = await rig.client()
        assert await client.call("agents.attach", SHOUT) == {**SHOUT, "turns": [], "over": []}
        begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(ended(await rig.client()))
        async for event in client.events():
            if event.event == "agent.turn":
                begun.set_result(msgspec.json.decode(bytes(event.payload or b""))["turn"])
                break
        turn = await begun
        end: dict[str, Any] = {"turn": turn, "seq": 1}
        wrongs: list[Any] = [{}, {"final": {}}, {"final": {"text": ""}, "error": {}}]
        for wrong in wrongs:
            with pytest.raises(RemoteError, match=r"final"):
                await client.call("agents.turn.end", end | wrong)
        refused = {"error": {"kind": "refused", "message": "not this"}}
        assert await client.call("agents.turn.end", end | refused) == {"acked": 1}
        with pytest.raises(RemoteError):
            await waiting
        assert await client.call("agents.turn.end", end | refused) == {"over": True}
        assert await client.call("agents.detach", SHOUT) == {"detached": True}


async def test_only_a_client_that_may_write_is_attached_and_only_while_the_agent_runs() -> None:
    async with rig_with_agent() as rig:
        reader = await rig.client(scopes=["operator.read"])
        with pytest.raises(RemoteError, match=r"missing scope: operator\.write"):
            await reader.call("agents.attach", SHOUT)
        client = await rig.client()
        await client.call("agents.attach", SHOUT)
        stopped = row("agent:shout", "stopped", incarnation=9)
        await rig.report(stopped)
        async for event in client.events():
            if event.event == "agent.detached":
                break
        with pytest.raises(RemoteError, match="is stopped"):
            await client.call("agents.attach", SHOUT)
