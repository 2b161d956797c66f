"""The echo agent beside a gateway of the test: a worker that speaks the frames of turns."""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.data import Answer, Call, TurnBegin, TurnEnded, TurnTaken
from tests.support.gateway_rig import GatewayRig, Worker
from workers.agent import Final, TurnOutcome

AGENT = "agent:echo"


async def echo_agent(rig: GatewayRig, incarnation: int = 1) -> Worker:
    """Return the process of the echo agent, which answers each turn at once."""
    worker = await rig.worker(AGENT, incarnation)

    def take(frame: Any) -> None:
        if isinstance(frame, TurnBegin):
            text = msgspec.json.decode(frame.payload)["text"]
            outcome = TurnOutcome("final", Final(f"echo: {text}"))
            end = TurnEnded(frame.turn, 1, msgspec.json.encode(outcome))
            worker.send(TurnTaken(frame.turn, 0), end)

    worker.on_frame = take
    return worker


def delivered(call: Call) -> Answer:
    """Return what a worker answers that has sent a message."""
    assert call.method == "deliver"
    return Answer(call.id, True, b'{"sent":[{"id":"1","chat":"person-1","ts":1}]}')
