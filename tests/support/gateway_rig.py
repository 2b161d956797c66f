"""A real gateway in the test's process, with a supervisor, workers and clients of the test.

Real sockets on every side: WebSocket clients, a WebSocket client that is the supervisor, and
ZeroMQ dealers that are workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from ipc.frames import data
from ipc.frames.bootstrap import ChannelInfo, GatewayBoot
from ipc.frames.data import (
    Answer,
    Call,
    DataHello,
    FromWorker,
    Messages,
    Welcome,
)
from ipc.frames.status import AccountStatus
from ipc.frames.websocket import Event
from ipc.identity.peer import PeerProof
from ipc.websocket.client import Client
from ipc.websocket.young_slots import YoungSlots
from ipc.zeromq.dealer import Dealer
from runtime.gateway.gateway import Gateway
from runtime.gateway.parts import GatewayParts
from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE

TOKEN = "token-of-the-test"
SESSION = "token-of-this-boot"
SECRET = b"secret-of-this-boot"
INBOUND_ADDRESSED = data.INBOUND | data.ADDRESSED


def row(account: str, phase: str = "running", incarnation: int = 1, **more: Any) -> dict[str, Any]:
    """Return a row as the supervisor reports it."""
    key = account if ":" in account else f"irc:{account}"
    channel, _, name = key.partition(":")
    made = AccountStatus(
        account=key, channel=channel, account_id=name, phase=phase, incarnation=incarnation, **more
    )
    return cast(dict[str, Any], msgspec.to_builtins(made))


def payload(account: str, seq: int, incarnation: int = 1, **more: Any) -> bytes:
    """Return the payload of a ``channel.message`` as a worker makes it.

    One of a direct chat is meant for the account.
    """
    message = {
        "id": f"m{seq}",
        "chat": {"id": "person-1", "kind": "direct"},
        "sender": {"id": "person-1"},
        "text": f"text {seq}",
        "ts": 1,
        "addressed": more.get("chat", {}).get("kind", "direct") == "direct",
    } | more
    event = {
        "account": account,
        "channel": account.partition(":")[0],
        "accountId": account.partition(":")[2],
        "direction": "in",
        "cursor": f"{incarnation}:{seq}",
        "message": message,
    }
    return msgspec.json.encode(event)


def single(seq: int, flags: int, payload: bytes) -> Messages:
    """Return a pack of one message."""
    return Messages(seq, bytes([flags]), [payload])


class Worker:
    """A dealer that speaks as one incarnation of an account."""

    def __init__(self, rig: GatewayRig, account: str, incarnation: int = 1) -> None:
        self.key, self.incarnation = account, incarnation
        self.frames: asyncio.Queue[data.FromGateway] = asyncio.Queue()
        self.on_call: Callable[[Call], Answer | None] | None = None
        self.on_frame: Callable[[data.FromGateway], None] = self.frames.put_nowait
        known = PeerProof(SECRET).credentials(account, incarnation)
        self.dealer = Dealer(rig.parts.boot.data, known, self._on_frame)

    def _on_frame(self, body: bytes) -> None:
        if not body:
            return  # the router's greeting on a new connection
        for frame in data.decode_from_gateway(body):
            if isinstance(frame, Call) and self.on_call is not None:
                answer = self.on_call(frame)
                if answer is not None:
                    self.send(answer)
            else:
                self.on_frame(frame)

    def send(self, *frames: FromWorker) -> None:
        assert self.dealer.send(data.encode(list(frames)))

    def hello(self, oldest: int = 1, token: str | None = None, *, waits: bool = False) -> None:
        proof = token or PeerProof(SECRET).token(self.key, self.incarnation)
        self.send(DataHello(self.key, self.incarnation, proof, oldest, waits=waits))

    def say(self, seq: int, flags: int = data.INBOUND, **more: Any) -> None:
        self.send(single(seq, flags, payload(self.key, seq, self.incarnation, **more)))

    async def next(self, kind: type[Any]) -> Any:
        """Return the next frame of a kind; others before it are dropped."""
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = await self.frames.get()
                if isinstance(frame, kind):
                    return frame

    def close(self) -> None:
        self.dealer.close()


@dataclass
class GatewayRig:
    """A running gateway and the test's session to it as its supervisor.

    ``asked`` gets every request to the supervisor; ``answers`` holds what it answers, by method.
    """

    gateway: Gateway
    port: int
    supervisor: Client | None = None
    asked: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    answers: dict[str, Any] = field(default_factory=dict)
    opened: list[Any] = field(default_factory=list)
    access: dict[str, Any] = field(default_factory=dict)
    tasks: asyncio.TaskGroup | None = None

    @property
    def parts(self) -> GatewayParts:
        return self.gateway.parts

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    async def client(self, **more: Any) -> Client:
        client = await Client.connect(self.url, **({"token": TOKEN} | more))
        self.opened.append(client)
        return client

    async def watcher(self, **more: Any) -> Client:
        return await self.client(caps=["channel-events"], **more)

    async def report(self, *rows: dict[str, Any], **more: Any) -> None:
        """Report rows of accounts; everybody may talk to them unless ``more`` says otherwise."""
        assert self.supervisor is not None
        accounts = {row["account"]: row for row in rows}
        self.access |= {key: {"dm": "open", "group": "open"} for key in accounts}
        beside = {"accounts": accounts, "access": self.access} | more
        await self.supervisor.call("channels.report", beside)

    async def worker(
        self, account: str, incarnation: int = 1, *, ready: bool = True, **more: Any
    ) -> Worker:
        """Return a worker; unless told otherwise one that has been welcomed.

        ``more`` are fields of its row.
        """
        worker = Worker(self, account, incarnation)
        self.opened.append(worker)
        worker.hello()
        if ready:
            await self.report(row(account, incarnation=incarnation, **more))
            await worker.next(Welcome)
        return worker

    async def connect_supervisor(self, *rows: dict[str, Any]) -> None:
        """Open the session and report everything."""
        self.supervisor = await Client.connect(self.url, token=SESSION, on_event=self.on_event)
        await self.report(*rows, whole=True)

    def on_event(self, event: Event) -> None:
        if event.event != "supervisor.request":
            return
        request = msgspec.json.decode(cast(msgspec.Raw, event.payload))
        self.asked.put_nowait(request)
        answer = self.answers.get(request["method"])
        if answer is None:
            return
        assert self.tasks is not None
        self.tasks.create_task(self._answer(request["id"], answer))

    async def _answer(self, number: int, answer: Any) -> None:
        assert self.supervisor is not None
        result = answer if "ok" in answer else {"ok": True, "payload": answer}
        await self.supervisor.call("supervisor.result", {"id": number} | result)


CHANNELS = [
    ChannelInfo("irc", "IRC", "IRC network", "number", "libera", ["libera", "oftc", "third"]),
]


@contextlib.asynccontextmanager
async def gateway_rig(
    *rows: dict[str, Any],
    supervisor: bool = True,
    agents: str = "none",
    state_dir: Path | None = None,
    address: str | None = None,
    listener: socket.socket | None = None,
    canvas: dict[str, Any] | None = None,
    canvas_listener: socket.socket | None = None,
    slots: YoungSlots | None = None,
    **config: Any,
) -> AsyncIterator[GatewayRig]:
    """Run a gateway; by default with its supervisor and the account irc:libera.

    ``listener`` is what its predecessor had, in which clients wait. ``canvas`` is the section
    ``canvasHost``, and ``canvas_listener`` the socket of its own port. ``address`` is where workers
    look for it, ``slots`` are what its predecessor has left.
    """
    if listener is None:
        listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    with ShortDirectory() as place:
        boot = GatewayBoot(
            incarnation=1,
            version="0.0.test",
            session_token=SESSION,
            secret=SECRET,
            data=address or f"ipc://{place / 'data.ipc'}",
            gateway={"auth": {"token": TOKEN}} | config,
            agents={"default": agents},
            channels=CHANNELS,
            state_dir=str(place if state_dir is None else state_dir),
            config_path="/state/trunkline.json5",
            revision="r1",
            canvas=canvas or {},
        )
        async with asyncio.TaskGroup() as tasks:
            gateway = Gateway(boot, tasks)
            await gateway.start(listener, canvas_listener, slots)
            rig = GatewayRig(gateway, port, tasks=tasks)
            try:
                if supervisor:
                    await rig.connect_supervisor(*(rows or (row("irc:libera"),)))
                yield rig
            finally:
                for opened in rig.opened:
                    closing = opened.close()
                    if closing is not None:
                        await closing
                if rig.supervisor is not None:
                    await rig.supervisor.close()
                await gateway.close()


def boot_of(place: Path, incarnation: int) -> bytes:
    """Return the bootstrap object of a gateway process whose files are in ``place``."""
    boot = GatewayBoot(
        incarnation=incarnation,
        version="0.0.test",
        session_token=SESSION,
        secret=SECRET,
        data=f"ipc://{place / 'data.ipc'}",
        gateway={"auth": {"token": TOKEN}},
        agents={"default": "none"},
        channels=CHANNELS,
        state_dir="/state",
        config_path="/state/trunkline.json5",
    )
    return msgspec.msgpack.encode(boot)
