"""Runs turns of an agent in a real process, for tests of agents.

    def test_it_shouts():
        answer = agent_turn("trunkline_shout:manifest", "hello there", config={"mark": "?"})
        assert answer.text == "HELLO THERE ?"

The process is that of a worker, with its limits on what a turn yields and its classes of errors.
The test stands for the supervisor and for the gateway, which stores and acknowledges everything.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ipc.frames.data import (
    DataHello,
    FromGateway,
    TurnAck,
    TurnBegin,
    TurnCancel,
    TurnEnded,
    TurnEvents,
    Welcome,
    decode_from_worker,
    encode,
)
from ipc.identity.peer import PeerProof
from ipc.nesting import decode_json
from ipc.zeromq.router import Router
from workers.agent import Delta, Turn, TurnEvent, TurnOutcome
from workers.testing.agent_process import AgentProcess
from workers.testing.loop_thread import PATIENCE, LoopThread, wait_until

AGENT_ID = "test"
SESSION = "agent:test:main"
TURN_SECONDS = 30.0  # until the deadline of a turn that names none
PROOF = PeerProof(b"secret of the testing kit")
EVENT: Any = TurnEvent


@dataclass(slots=True)
class TurnAnswer:
    """The output of a turn so far; ``outcome`` is set once it has ended."""

    run: str
    events: list[TurnEvent] = field(default_factory=list)
    outcome: TurnOutcome | None = None

    @property
    def text(self) -> str:
        """The answer, or what has come of it."""
        if self.outcome is not None and self.outcome.final is not None:
            return self.outcome.final.text or ""
        return "".join(event.text for event in self.events if isinstance(event, Delta))


class KitGateway:
    """The gateway's end of an agent's link: acknowledges everything at once."""

    def __init__(self, address: str) -> None:
        self.turns: dict[str, TurnAnswer] = {}
        self.met = asyncio.Event()  # the agent's process has been welcomed
        self._peer: bytes | None = None
        self._router = Router(address, PROOF, self._on_frame)

    def send(self, frame: FromGateway) -> None:
        """Send a frame to the agent."""
        assert self._peer is not None
        self._router.send(self._peer, encode([frame]))

    def close(self) -> None:
        """Close its socket."""
        self._router.close()

    def _on_frame(self, peer: bytes, body: bytes) -> None:
        for frame in decode_from_worker(body):
            match frame:
                case DataHello():
                    self._peer = peer
                    self.send(Welcome("kit", 0))
                    self.met.set()
                case TurnEvents():
                    self.turns[frame.turn].events += [
                        decode_json(payload, EVENT) for payload in frame.payloads
                    ]
                    self.send(TurnAck(frame.turn, frame.last))
                case TurnEnded():
                    self.turns[frame.turn].outcome = decode_json(frame.payload, TurnOutcome)
                    self.send(TurnAck(frame.turn, frame.seq))


class AgentUnderTest:
    """An agent in its process. Whatever waits fails with a sentence after ``PATIENCE`` seconds."""

    def __init__(self, manifest: str, config: Mapping[str, Any]) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp")
        self._loop = LoopThread()
        self._numbers = itertools.count(1)
        self._process: AgentProcess | None = None
        self._gateway: KitGateway | None = None
        try:
            self._loop.run(self._open(manifest, dict(config)), 2 * PATIENCE)
        except BaseException:
            self.close()
            raise

    @property
    def log(self) -> str:
        """What the process has printed."""
        assert self._process is not None
        return self._process.printed

    @property
    def status(self) -> dict[str, Any]:
        """What the agent has reported of itself."""
        assert self._process is not None
        return dict(self._process.status)

    def begin(self, text: str, *, seconds: float = TURN_SECONDS, **fields: Any) -> TurnAnswer:
        """Begin a turn and return what will come of it; ``fields`` are those of ``Turn``.

        Its deadline is in ``seconds``.
        """
        run = fields.pop("run", None) or f"kit-{next(self._numbers)}"
        deadline = int((time.time() + seconds) * 1000)
        turn = Turn(run, SESSION, AGENT_ID, text, deadline, **fields)
        answer = TurnAnswer(run)
        self._loop.call(self._begin, turn, answer)
        return answer

    def turn(self, text: str, *, seconds: float = TURN_SECONDS, **fields: Any) -> TurnAnswer:
        """Return what has come of a whole turn."""
        return self.ended(self.begin(text, seconds=seconds, **fields), seconds + PATIENCE)

    def ended(self, answer: TurnAnswer, within: float = PATIENCE) -> TurnAnswer:
        """Wait until a turn has ended."""
        wait_until(
            lambda: answer.outcome,
            lambda: f"the turn {answer.run} ends; it has sent {answer.events!r}:\n{self.log}",
            within,
        )
        return answer

    def cancel(self, answer: TurnAnswer) -> None:
        """Cancel a turn, as ``/stop`` does."""
        assert self._gateway is not None
        self._loop.call(self._gateway.send, TurnCancel(answer.run))

    def close(self) -> None:
        """End the process, and remove its directory."""
        for part in (self._process, self._gateway):
            if part is not None:
                self._loop.call(part.close)
        self._loop.close()
        self._made.cleanup()

    def _begin(self, turn: Turn, answer: TurnAnswer) -> None:
        assert self._gateway is not None
        self._gateway.turns[turn.run] = answer
        self._gateway.send(TurnBegin(turn.run, msgspec.json.encode(turn)))

    async def _open(self, manifest: str, config: dict[str, Any]) -> None:
        directory = Path(self._made.name)
        address = f"ipc://{directory / 'data.ipc'}"
        self._gateway = gateway = KitGateway(address)
        self._process = AgentProcess(
            manifest, config, data=address, proof=PROOF, directory=directory
        )
        await self._process.ready()
        await gateway.met.wait()  # it connects by itself


@contextmanager
def running_agent(manifest: str, **config: Any) -> Iterator[AgentUnderTest]:
    """Run an agent; ``manifest`` is its import string, ``config`` its fields."""
    agent = AgentUnderTest(manifest, config)
    try:
        yield agent
    finally:
        agent.close()


def agent_turn(
    manifest: str,
    text: str,
    *,
    config: Mapping[str, Any] | None = None,
    seconds: float = TURN_SECONDS,
    **fields: Any,
) -> TurnAnswer:
    """Run an agent in a process, have it take one turn, and return what has come of that."""
    with running_agent(manifest, **(config or {})) as agent:
        return agent.turn(text, seconds=seconds, **fields)
