"""Attaches programs that answer for agents of kind ``client``, and receives their answers."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.json import encode

from ipc.errors import RemoteError
from ipc.frames.requests import FirstNumber, Number, Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, agent_key
from runtime.gateway.access.scopes import WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, method
from runtime.gateway.parts import GatewayParts
from workers.agent import Delta, Final, Kind, Notice, ToolCall, ToolResult, TurnOutcome

AgentId = Annotated[str, Meta(min_length=1, max_length=64)]
TurnName = Annotated[str, Meta(min_length=1, max_length=600)]
MOST_HELD = 10_000
MOST_EVENTS = 256  # of one request


class HeldTurnParams(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A turn of a program; ``acked`` is the last event that it knows to be stored."""

    turn: TurnName
    acked: Number = 0


class AttachParams(Params):
    """The params of ``agents.attach``; ``turns`` are those that the program has not ended."""

    agent_id: AgentId
    takeover: bool = False
    turns: Annotated[list[HeldTurnParams], Meta(max_length=MOST_HELD)] = []


class DetachParams(Params):
    """The params of ``agents.detach``."""

    agent_id: AgentId


class TurnEventsParams(Params):
    """The params of ``agents.turn.events``; ``first`` is the number of the first event."""

    turn: TurnName
    first: FirstNumber
    events: Annotated[
        list[Delta | ToolCall | ToolResult | Notice], Meta(min_length=1, max_length=MOST_EVENTS)
    ]


class TurnErrorParams(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The error of a turn, in the classes of agents; ``message`` is for the log."""

    kind: Kind = "failed"
    message: Annotated[str, Meta(max_length=2000)] = ""
    retry_after: Annotated[float, Meta(ge=0, le=86_400)] | None = None


class TurnEndParams(Params):
    """The params of ``agents.turn.end``: ``final`` with the whole text, or ``error``."""

    turn: TurnName
    seq: FirstNumber
    final: Final | None = None
    error: TurnErrorParams | None = None


@method("agents.attach", WRITE, AttachParams, most_bytes=TEXT_BYTES)
def agents_attach(parts: GatewayParts, client: ConnectedClient, params: AttachParams) -> Any:
    """Attach this client for an agent of kind `client`: the events `agent.turn` follow. One program
    at a time is attached; `takeover` replaces it, and it gets `agent.detached`. `turns` lists the
    turns that the program still has; the answer says after which number each continues, and which
    have ended.
    """
    key = agent_key(params.agent_id)
    row = parts.accounts.row(key)
    if row is not None and not row.wanted:
        raise RemoteError(UNAVAILABLE, f"{key} is stopped", details={"reason": "stopped"})
    held = {each.turn: each.acked for each in params.turns}
    kept = parts.attached.attach(client, key, held, takeover=params.takeover)
    return {
        "agentId": params.agent_id,
        "turns": [{"turn": turn, "acked": acked} for turn, acked in kept.items()],
        "over": [turn for turn in held if turn not in kept],
    }


@method("agents.detach", WRITE, DetachParams)
def agents_detach(parts: GatewayParts, client: ConnectedClient, params: DetachParams) -> Any:
    """Detach this client from an agent permanently: its turns are lost with it."""
    return {"detached": parts.attached.detach(client, agent_key(params.agent_id))}


@method("agents.turn.events", WRITE, TurnEventsParams)
async def agents_turn_events(
    parts: GatewayParts, client: ConnectedClient, params: TurnEventsParams
) -> Any:
    """Accept events of a turn, numbered from 1; answers once they are stored. At most 64 KiB of a
    turn may be unanswered. `over`: the turn has ended, send nothing more of it.
    """
    payloads = [encode(each) for each in params.events]
    return await _stored(parts.attached.receive_events(client, params.turn, params.first, payloads))


@method("agents.turn.end", WRITE, TurnEndParams, most_bytes=TEXT_BYTES)
async def agents_turn_end(
    parts: GatewayParts, client: ConnectedClient, params: TurnEndParams
) -> Any:
    """End a turn, with the number after its last event; answers once that is stored."""
    final, error = params.final, params.error
    if (final is None) is (error is None):
        raise RemoteError(INVALID_REQUEST, "a turn ends with final, or with error")
    if error is not None:
        outcome = TurnOutcome(
            "error", kind=error.kind, error=error.message, retry_after=error.retry_after
        )
    else:
        assert final is not None
        if final.text is None:
            raise RemoteError(INVALID_REQUEST, "final.text is the whole answer: it is missing")
        outcome = TurnOutcome("final", final)
    return await _stored(parts.attached.receive_end(client, params.turn, params.seq, outcome))


async def _stored(number: asyncio.Future[int]) -> Any:
    acked = await number
    return {"acked": acked} if acked else {"over": True}
