"""No turn is lost: runs, turn link and an agent's process over a link that dies at any moment.

Everything is real but the wire, the disk and the processes: what is delivered, what is stored and
what dies next, dice decide.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from asyncio import TaskGroup
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import structlog

from ipc.errors import PeerGone
from ipc.frames import data
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.status import AccountStatus
from runtime.config.sessions import QueueMode
from runtime.gateway.journal.conversations import Session
from runtime.gateway.journal.records import Arrived, Kept, Outcome
from runtime.gateway.runs import lifecycle
from runtime.gateway.runs.links import TurnTaking
from runtime.gateway.runs.turns import TurnLink
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, HeldJournal
from tests.support.outbox_life import OutboxLife, done, refusal
from tests.support.runs_life import AGENT
from tests.support.runs_life import KEY as AGENT_KEY
from workers.agent import Delta, Final, Notice, Turn
from workers.links.agent_data import AgentDataLink
from workers.process.turns import AgentTurns

PEOPLE = ("ada", "bob")
STEPS = 150
ROUNDS = 400  # of everything in turn, in which all must be answered
MESSAGE = data.INBOUND | data.ADDRESSED


class Wire:
    """A connection whose ends read when the dice say so."""

    def __init__(self) -> None:
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque([b""])  # the router's greeting
        self.closed = False  # as a dealer's

    def send(self, body: bytes) -> bool:
        """Send to the gateway, as a dealer does."""
        self.up.append(body)
        return True

    def close(self) -> None:
        self.closed = True

    def cut(self, dice: random.Random) -> None:
        """End the connection and make the next, which begins with a greeting.

        The agent may still read some of what was sent, greetings always.
        """
        self.up.clear()
        while self.down and self.down[-1] and dice.random() < 0.7:
            self.down.pop()
        self.down.append(b"")


class SlowJournal(HeldJournal):
    """A journal that takes its time to read, as one on a disk does."""

    async def session(self, key: str) -> Session | None:
        await settle(4)
        return await super().session(key)


class WireLink(AgentDataLink):
    """The data link of an agent over a wire of the test."""

    wire: Wire

    def _connect(self) -> None:
        self._dealer = cast(Any, self.wire)

    def read(self, body: bytes) -> None:
        self._on_body(body)


class SlowAgent:
    """An agent that goes on when the dice say so."""

    def __init__(self, life: Lives) -> None:
        self._life = life
        self.waiting: list[asyncio.Future[None]] = []

    async def turn(self, turn: Turn) -> AsyncIterator[Any]:
        life = self._life
        life.begun[turn.run] += 1
        life.histories.append((turn.text, [item.text for item in turn.history]))
        for event in (Notice("n"), Delta("echo: "), Notice("n"), Delta(turn.text)):
            await self._pause()
            yield event
        await self._pause()
        yield Final(f"echo: {turn.text}")

    async def _pause(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        await future


class Lives:
    """A person's worker, an agent's process, and one gateway after the other."""

    def __init__(self, seed: int, tasks: TaskGroup, mode: QueueMode) -> None:
        self.dice = random.Random(seed)
        self.begun: Counter[str] = Counter()
        self.histories: list[tuple[str, list[str]]] = []
        self.written: defaultdict[str, list[str]] = defaultdict(list)  # by person
        self.said: list[str] = []  # that is stored
        self.answers: list[str] = []
        self.keys: set[str] = set()  # of what the account's worker has begun to send
        self.deaths = 0
        self._tasks, self._mode = tasks, mode
        self._dead: list[AgentTurns] = []
        self._number = 0
        self._unstored: list[str] = []
        self._boots = 0
        self.wire = Wire()
        self._agent_lives()
        self.journal = SlowJournal()
        self._gateway_lives()

    def _agent_lives(self) -> None:
        boot = WorkerBoot(AGENT_KEY, self.deaths + 1, "", "", "", "", {}, "", "")
        self.link = WireLink(
            boot, lambda frame, gateway: self.turns.on_frame(cast(Any, frame)), log
        )
        self.link.wire = self.wire
        self.turns = AgentTurns(self.link, log)
        self.agent = SlowAgent(self)
        self.turns.begin(self.agent)
        self.link.open()

    def _gateway_lives(self) -> None:
        self._boots += 1
        life = self.life = OutboxLife(
            self._tasks, self.journal, self._deliver, AGENT, mode=self._mode, turns=self._link_of
        )
        self._report_agent()
        life.welcome()

    def _link_of(self, life: OutboxLife) -> TurnTaking:
        link = self.turn_link = TurnLink(
            life.peers, on_ready=lambda agent, number: life.runs.on_agent_ready(agent, number)
        )

        def send(peer: bytes, body: bytes) -> bool:
            if link is not self.turn_link:
                raise PeerGone("agent", maybe_executed=False)
            self.wire.down.append(body)
            return True

        link.attach(send)
        return link

    def _report_agent(self) -> None:
        row = AccountStatus(AGENT_KEY, "agent", AGENT, "running", incarnation=self.deaths + 1)
        self.life.accounts.apply(AGENT_KEY, row)

    def _deliver(self, call: dict[str, Any]) -> Any:
        key, text = call["message"]["key"], call["message"]["text"]
        if not call.get("begin", True):
            return done() if key in self.keys else refusal(notBegun=True)
        assert key not in self.keys
        self.keys.add(key)
        self.answers.append(text)
        return done()

    def say(self) -> None:
        """Have somebody write; it counts from the moment that it is stored."""
        self._number += 1
        number, person = self._number, self.dice.choice(PEOPLE)
        text, life = f"<{number}>", self.life
        self.written[person].append(text)
        made = payload(
            KEY, number, text=text, sender={"id": person}, chat={"id": person, "kind": "direct"}
        )
        at = int(time.time() * 1000)
        record = Arrived(KEY, 1, number, bytes([MESSAGE]), [made], [f"m{number}"], at=at)

        def stored(outcome: Outcome) -> None:
            assert isinstance(outcome, Kept)
            for part in outcome.parts:
                life.answering.on_stored(KEY, 1, at, part)

        self._unstored.append(text)
        self.journal.append(record, stored)

    def store(self) -> None:
        self.said += self._unstored
        self._unstored.clear()
        self.journal.store()

    def up(self) -> None:
        """Let the gateway read one body."""
        if not self.wire.up:
            return
        peers, link = self.life.peers, self.turn_link
        peer = peers.by_id.get(b"agent")
        for frame in data.decode_from_worker(self.wire.up.popleft()):
            if isinstance(frame, data.DataHello):
                if peers.is_past(frame.key, frame.incarnation):
                    continue
                peer = peers.ensure(b"agent", frame.key, frame.incarnation)
                welcome = data.Welcome(f"boot-{self._boots}", 0)
                self.wire.down.append(data.encode([welcome]))
                peer.welcome = True
                peers.welcome(peer)
            elif peer is not None and peer.welcome:
                link.on_frame(peer, cast(Any, frame))

    def down(self) -> None:
        """Let the agent read one body."""
        if self.wire.down:
            self.link.read(self.wire.down.popleft())

    def verify(self) -> None:
        self.link.verify()

    def goes_on(self) -> None:
        """Let the agent take one step of one turn."""
        waiting = [each for each in self.agent.waiting if not each.done()]
        self.agent.waiting = waiting
        if waiting:
            self.dice.choice(waiting).set_result(None)

    def cut(self) -> None:
        self.wire.cut(self.dice)

    def kill_gateway(self) -> None:
        if self.dice.random() < 0.5:
            self.said += self._unstored
            self.journal.store_unnoticed()
        self._unstored.clear()
        self.life.end()
        self.turn_link.close()
        self.wire.cut(self.dice)
        self.journal = SlowJournal(self.journal)
        self._gateway_lives()

    def kill_agent(self) -> None:
        self.deaths += 1
        self.link.close()
        self._dead.append(self.turns)
        self.wire = Wire()
        peers = self.life.peers
        self._report_agent()
        if (peer := peers.by_id.get(b"agent")) is not None:
            peers.forget(peer)
        self.life.runs.on_report(AGENT_KEY)
        self._agent_lives()

    async def live(self, *, with_deaths: bool) -> None:
        """Let anything happen; then let all that is left be done in turn."""
        steps = [self.say, self.store, self.store, self.up, self.up, self.down, self.down]
        steps += [self.goes_on] * 4 + [self.verify]
        for number in range(STEPS):
            chance = self.dice.random()
            if chance < 0.03:
                self.cut()
            elif chance < 0.06:
                self.kill_gateway()
            elif with_deaths and chance < 0.08:
                self.kill_agent()
            else:
                step = self.dice.choice(steps)
                if step is not self.say or number < STEPS // 2:
                    step()
            await settle(self.dice.randint(0, 3))
        for _ in range(ROUNDS):
            for step in (self.store, self.up, self.down, self.goes_on):
                step()
                await settle(4)
            if not len(self.life.runs) and "".join(self.answers).count("<") >= len(self.said):
                break
            await asyncio.sleep(0.0005)
        self.store()
        self.life.end()
        for turns in [*self._dead, self.turns]:
            await turns.cancel(None)


async def settle(turns: int) -> None:
    """Let the loop turn."""
    for _ in range(turns):
        await asyncio.sleep(0)


log = structlog.get_logger()


async def lived(seed: int, mode: QueueMode, *, with_deaths: bool = False) -> Lives:
    async with TaskGroup() as tasks:
        lives = Lives(seed, tasks, mode)
        await lives.live(with_deaths=with_deaths)
    return lives


# The first of each have found faults that are mended.
ALONE, TOGETHER, DEATHS = (
    [*few, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(60) if seed not in few)]
    for few in ((7, 12), (37,), (0,))
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a turn repeated without a pause."""
    monkeypatch.setattr(lifecycle, "AGAIN_MS", 0)


@pytest.mark.parametrize("seed", ALONE)
async def test_each_message_is_asked_and_answered_once(seed: int) -> None:
    lives = await lived(seed, "followup")
    assert sorted(lives.answers) == sorted(f"echo: {text}" for text in lives.said)
    assert set(lives.begun.values()) <= {1}
    for text, history in lives.histories:
        (written,) = (each for each in lives.written.values() if text in each)
        before = [each for each in written[: written.index(text)] if each in lives.said]
        assert history == [said for each in before for said in (each, f"echo: {each}")]


@pytest.mark.parametrize("seed", TOGETHER)
async def test_messages_that_are_asked_together_are_answered_once(seed: int) -> None:
    lives = await lived(seed, "collect")
    answered = Counter(re.findall("<.*?>", "".join(lives.answers)))
    assert answered == Counter(lives.said)


@pytest.mark.parametrize("seed", DEATHS)
async def test_an_agent_that_dies_costs_an_error_at_most(seed: int) -> None:
    lives = await lived(seed, "followup", with_deaths=True)
    assert len(lives.answers) == len(lives.said)
    answered = Counter(text for text in lives.answers if text.startswith("echo: "))
    assert answered <= Counter(f"echo: {text}" for text in lives.said)
