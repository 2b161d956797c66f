"""Runs a worker as a coroutine between a fake supervisor and a fake gateway on real sockets."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from ipc.endpoints import SocketPaths
from ipc.frames import control, data
from ipc.frames.bootstrap import WorkerBoot
from ipc.identity.peer import PeerProof
from ipc.zeromq.router import Router
from tests.support.controllable_channel import ControllablePlugin
from tests.support.until import PATIENCE
from workers.process.worker import main

INCARNATION = 7
PROOF = PeerProof(b"secret of the rig")
TOKEN = PROOF.token("controllable:one", INCARNATION)
CONTROLLABLE = "tests.support.controllable_channel:manifest"
T = TypeVar("T")


class Watched:
    """An object whose changes a test can wait for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, seen: Callable[[], T]) -> T:
        """Wait until ``seen()`` is true; checked after every frame."""
        async with asyncio.timeout(PATIENCE):
            while not (result := seen()):
                self._changed.clear()
                await self._changed.wait()
            return result


class FakeSupervisor(Watched):
    """Collects the frames of the worker on the control link."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.frames: list[control.FromWorker] = []
        self.peers: set[bytes] = set()
        self._router = Router(address, PROOF, self._on_frame)

    def _on_frame(self, peer: bytes, body: bytes) -> None:
        self.peers.add(peer)
        self.frames += control.decode_from_worker(body)
        self.changed()

    def of(self, kind: type[T]) -> list[T]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def status(self) -> dict[str, Any]:
        return {
            name: value
            for each in self.of(control.StatusPatch)
            for name, value in each.patch.items()
        }

    def ping(self, id: int) -> None:
        for peer in self.peers:
            self._router.send(peer, control.encode([control.Ping(id)]))

    def send_raw(self, body: bytes) -> None:
        for peer in self.peers:
            self._router.send(peer, body)

    def close(self) -> None:
        self._router.close()


class ReceivedMessage(NamedTuple):
    """One message of a pack."""

    seq: int
    flags: int
    payload: bytes


class FakeGateway(Watched):
    """Welcomes, acknowledges and calls as the gateway does.

    ``accepted`` holds the messages in order, duplicates dropped as the gateway drops them;
    ``raw`` holds every message that came.
    """

    def __init__(self, address: str, id: str = "boot-1", *, proof: PeerProof = PROOF) -> None:
        super().__init__()
        self.id = id
        self.welcoming = True
        self.acking = True
        self.stores: int | None = None  # no more than so many messages can be stored
        self.durable = False  # as for an account with a journal
        self.cursor = b""  # the last stored one, also of an earlier worker
        self.identity = ""
        self.running = True  # the account is reported to run; else a welcome is early
        self.heed: Callable[[data.FromWorker], object] = lambda frame: None
        self.marks: list[data.Mark] = []
        self.named: list[str] = []  # identities
        self.raw: list[ReceivedMessage] = []
        self.accepted: list[ReceivedMessage] = []
        self.packs: list[data.Messages] = []  # every pack that came
        self.hellos: list[data.DataHello] = []
        self.answers: dict[int, data.Answer] = {}
        self.http_answers: list[data.HttpAnswer] = []
        self.last = 0
        self.acked = 0  # the newest that it has acknowledged
        self.bodies = 0
        self._ids = iter(range(1, 1_000_000))
        self.welcomed: set[bytes] = set()
        self._known: set[bytes] = set()
        self._early: list[data.Call] = []  # made before the worker has said hello
        self.lose = 0  # how many of the next messages are lost
        self._router = Router(address, proof, self._on_frame, on_error=self._failed)
        self.failed: list[Exception] = []

    def _failed(self, error: Exception) -> None:
        self.failed.append(error)

    def _on_frame(self, peer: bytes, body: bytes) -> None:
        self.bodies += 1
        for frame in data.decode_from_worker(body):
            self.heed(frame)
            match frame:
                case data.DataHello():
                    self._greeted(peer, frame)
                case data.HttpAnswer():
                    self.http_answers.append(frame)
                case _ if peer not in self.welcomed:
                    self.send(data.Refused("hello first"), peer)
                case data.Mark():
                    if frame not in self.marks[-1:]:  # sent again after a second welcome
                        self.marks.append(frame)
                case data.AccountIdentity():
                    self.named.append(frame.id)
                case data.Messages():
                    self.packs.append(frame)
                    for each in map(
                        ReceivedMessage, count(frame.first), frame.flags, frame.payloads
                    ):
                        self._heard(peer, each)
                case data.Answer():
                    self.answers[frame.id] = frame
        if self.acking and self.welcomed:
            self.acknowledge()
        self.changed()

    def _greeted(self, peer: bytes, hello: data.DataHello) -> None:
        self.hellos.append(hello)
        if self.welcoming and (self.running or hello.waits):
            if peer not in self._known:
                self.last = self.acked = hello.oldest - 1
            self._known.add(peer)
            self._welcome(peer)
        else:
            self._known.add(peer)
            self.send(data.Refused("not running yet"), peer)

    def _heard(self, peer: bytes, message: ReceivedMessage) -> None:
        if self.lose:
            self.lose -= 1
            return
        self.raw.append(message)
        if message.seq == self.last + 1:
            self.last = message.seq
            self.accepted.append(message)
        elif message.seq > self.last:  # a gap: as the gateway does, wait for a new hello
            self.welcomed.discard(peer)
            self.send(data.Refused("hello first"), peer)

    def welcome_all(self) -> None:
        """Welcome every worker that has sent a hello."""
        self.welcoming = self.running = True
        for peer in self._known:
            self._welcome(peer)

    def _welcome(self, peer: bytes) -> None:
        early = not self.running
        if self.acking:
            self.acked = self._stored
        self.send(
            data.Welcome(
                self.id, self.acked, 0, self.durable, self.cursor, self.identity, early=early
            ),
            peer,
        )
        if early:
            return
        self.welcomed.add(peer)
        if self.stores is not None:
            self.acknowledge()
        for call in self._early:
            self.send(call, peer)
        self._early.clear()

    def forget(self) -> None:
        self.welcomed.clear()

    def acknowledge(self) -> None:
        mark = self.marks[-1].id if self.marks else 0
        self.acked = self._stored
        self.send(data.Ack(self.acked, mark, self.stores is not None))

    @property
    def _stored(self) -> int:
        return self.last if self.stores is None else min(self.last, self.stores)

    def send(self, frame: data.FromGateway, peer: bytes | None = None) -> None:
        for each in [peer] if peer else self.welcomed:
            self._router.send(each, data.encode([frame]))

    @property
    def handshakes_refused(self) -> int:
        return self._router.refused

    def send_raw(self, body: bytes) -> None:
        for peer in self.welcomed:
            self._router.send(peer, body)

    async def call(self, method: str, params: object) -> data.Answer:
        # A worker may be ready before it is welcomed.
        await self.until(lambda: self.welcomed or not self.welcoming)
        asked = self.ask(method, params)
        await self.until(lambda: asked in self.answers)
        return self.answers[asked]

    def ask(self, method: str, params: object) -> int:
        """Call a method; at once, or when the worker has been welcomed."""
        call = data.Call(next(self._ids), method, json.dumps(params).encode())
        if self.welcomed:
            self.send(call)
        else:
            self._early.append(call)
        return call.id

    def send_early(self, call: data.HttpCall) -> None:
        """Send a request to workers that do not run yet, after an early welcome."""
        for peer in self._known:
            welcome = data.Welcome(self.id, 0, early=True)
            self._router.send(peer, data.encode([welcome, call]))

    async def http(self, call: data.HttpCall) -> data.HttpAnswer:
        """Return the answer to an HTTP request."""
        await self.until(lambda: self.welcomed)
        self.send(call)
        found = await self.until(lambda: [each for each in self.http_answers if each.id == call.id])
        return found[0]

    async def result(self, method: str, params: object) -> Any:
        answer = await self.call(method, params)
        assert answer.ok, answer.payload
        return json.loads(answer.payload)

    async def error(self, method: str, params: object) -> Any:
        answer = await self.call(method, params)
        assert not answer.ok, answer.payload
        return json.loads(answer.payload)

    def texts(self) -> list[str]:
        return [json.loads(each.payload)["message"]["text"] for each in self.accepted]

    async def heard(self, count: int) -> list[str]:
        await self.until(lambda: len(self.accepted) >= count)
        return self.texts()

    def close(self) -> None:
        self._router.close()


class WorkerRig:
    """What one worker connects to: ``start`` runs it, ``code`` waits for its exit code."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.endpoints = SocketPaths(run_dir)
        self.endpoints.prepare()
        self.supervisor = FakeSupervisor(self.endpoints.control)
        self.gateway = FakeGateway(self.endpoints.data)
        self.said: list[tuple[str, str]] = []
        self.final: bool | None = None  # whether its last words were
        self.retry_after: float | None = None  # for how long they asked
        self.task: asyncio.Task[int] | None = None

    def boot(self, manifest: str = CONTROLLABLE, **changes: Any) -> WorkerBoot:
        fields: dict[str, Any] = {
            "key": "controllable:one",
            "incarnation": INCARNATION,
            "control": self.endpoints.control,
            "data": self.endpoints.data,
            "manifest": manifest,
            "config": {},
            "storage": str(self.run_dir / "storage" / "one"),
            "run_dir": str(self.run_dir),
        }
        fields |= changes
        token = PROOF.token(fields["key"], fields["incarnation"])
        return WorkerBoot(**({"token": token} | fields))

    def start(self, manifest: str = CONTROLLABLE, **changes: Any) -> None:
        payload = msgspec.msgpack.encode(self.boot(manifest, **changes))
        self.task = asyncio.create_task(main(payload, {}, self._say))

    def _say(
        self, cause: str, text: str, final: bool = False, retry_after: float | None = None
    ) -> None:
        self.said.append((cause, text))
        self.final = final
        self.retry_after = retry_after

    async def up(self) -> ControllablePlugin:
        """Wait until the worker is ready and welcomed; return its plugin."""
        await self.supervisor.until(lambda: self.supervisor.of(control.WorkerReady))
        await self.gateway.until(lambda: self.gateway.hellos)
        return ControllablePlugin.latest

    async def code(self) -> int:
        assert self.task is not None
        async with asyncio.timeout(PATIENCE):
            return await self.task

    async def stop(self) -> int:
        """Stop as the supervisor does."""
        signal.raise_signal(signal.SIGTERM)
        return await self.code()

    def restart_gateway(self, id: str = "boot-2", *, gone: bool = False) -> FakeGateway:
        """Replace the gateway by a new one without state."""
        self.gateway.close()
        if not gone:
            self.gateway = FakeGateway(self.endpoints.data, id)
        return self.gateway

    async def close(self) -> None:
        if self.task and not self.task.done():
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task
        self.supervisor.close()
        self.gateway.close()


@asynccontextmanager
async def worker_rig(run_dir: Path) -> AsyncIterator[WorkerRig]:
    made = WorkerRig(run_dir)
    try:
        yield made
    finally:
        await made.close()
