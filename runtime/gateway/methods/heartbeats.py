"""Wakes agents and switches their heartbeats: ``wake``, ``set-heartbeats``, ``last-heartbeat``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import NoParams, Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import ADMIN, READ, WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, method
from runtime.gateway.conversations.session_keys import main_key
from runtime.gateway.methods.asking import changes
from runtime.gateway.parts import GatewayParts

Word = Annotated[str, Meta(min_length=1, max_length=512)]


class WakeParams(Params):
    """The params of ``wake``: a text for an agent, at once or with its next turn."""

    mode: Literal["now", "next-heartbeat"]
    text: Annotated[str, Meta(min_length=1, max_length=256 * 1024)]
    session_key: Word | None = None
    agent_id: Word | None = None


class SetHeartbeatsParams(Params):
    """The params of ``set-heartbeats``."""

    enabled: bool


@method("wake", WRITE, WakeParams, most_bytes=TEXT_BYTES)
async def wake(parts: GatewayParts, client: ConnectedClient, params: WakeParams) -> Any:
    """Inform an agent of an event, in its main session or another one. `now` gives it a turn at
    once; with `next-heartbeat` its next turn, whatever begins it, contains the event.
    """
    await parts.timers.ready()
    await parts.asking.journal()
    agent = parts.agents.named(params.agent_id)
    if agent not in parts.agents.listed.entries:
        raise RemoteError(INVALID_REQUEST, f'unknown agentId "{agent}"')
    session = main_key(agent)
    if params.session_key is not None:
        session = parts.asking.answered_key(params.session_key, params.agent_id)
    if not params.text.strip():
        raise RemoteError(INVALID_REQUEST, "text required")
    waking = parts.timers.heartbeats.wake(params.text, params.mode, session)
    await parts.timers.links.perform(waking)
    return {"ok": True}


@method("set-heartbeats", ADMIN, SetHeartbeatsParams)
@changes(lambda params, answer: f"heartbeats were switched {'on' if params.enabled else 'off'}")
async def set_heartbeats(
    parts: GatewayParts, client: ConnectedClient, params: SetHeartbeatsParams
) -> Any:
    """Switch heartbeats on or off, also over restarts. While they are off an event waits for the
    next turn.
    """
    await parts.timers.ready()
    await parts.asking.journal()
    await parts.timers.links.perform(parts.timers.heartbeats.set_enabled(params.enabled))
    return {"ok": True, "enabled": params.enabled}


@method("last-heartbeat", READ)
def last_heartbeat(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the outcome of the newest heartbeat of this gateway process, or null."""
    return parts.timers.heartbeats.last
