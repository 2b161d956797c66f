"""Writes a turn as requests to a gateway, and names its conversation there. Pure.

A conversation has the same key at both gateways except for the agent's id: ``agent:<id>:<rest>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipc.frames.words import AGENT
from workers.agent import Turn
from workers.agents.openclaw.config import OpenClawConfig
from workers.agents.prompts import instructions_of, turn_text
from workers.messages import Attachment

NO_WORDS = "(no text)"  # a gateway takes no empty message

Json = dict[str, Any]


def key_there(session: str, agent_id: str) -> str:
    """Return the key of a conversation at the other gateway."""
    first, _, rest = session.partition(":")
    _, _, rest = rest.partition(":")
    return (
        f"{AGENT}:{agent_id}:{rest}" if first == AGENT and rest else f"{AGENT}:{agent_id}:{session}"
    )


def begins_anew(config: OpenClawConfig, turn: Turn) -> bool:
    """Return whether a turn is the first of its conversation, so that one begins there, too."""
    return config.follow_resets and not turn.history and not turn.heartbeat


def agent_params(
    config: OpenClawConfig,
    turn: Turn,
    sent: Sequence[Json],
    named: Sequence[Attachment],
    now: float,
) -> Json:
    """Return the params of ``agent``; the idempotency key is the run, so no turn begins twice.

    ``sent`` are images that are part of the request, ``named`` files that it only names. ``now``,
    in epoch seconds, gives the time that is left of the turn's deadline.
    """
    params: Json = {
        "message": turn_text(turn, named) or NO_WORDS,
        "sessionKey": key_there(turn.session, config.agent_id),
        "agentId": config.agent_id,
        "deliver": False,
        "timeout": max(1, int(turn.deadline / 1000 - now)),
        "idempotencyKey": turn.run,
    }
    more = {
        "extraSystemPrompt": instructions_of(config.instructions, turn),
        "model": turn.model,
        "thinking": turn.thinking,
        "attachments": list(sent),
    }
    return params | {name: value for name, value in more.items() if value}
