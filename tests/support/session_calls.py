"""Calls of methods about sessions, for their tests."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.websocket.client import Client

KEY = "agent:echo:web1"


async def talked(client: Client, key: str = KEY, text: str = "hello you") -> None:
    """Say something in a session, and wait for its end."""
    say = {"sessionKey": key, "message": text, "idempotencyKey": key}
    run = (await client.call("chat.send", say))["runId"]
    assert (await client.call("agent.wait", {"runId": run}))["status"] == "ok"


async def refused(client: Client, method: str, params: Any) -> str:
    """Return the text with which a request is refused."""
    with pytest.raises(RemoteError) as error:
        await client.call(method, params)
    return error.value.message
