"""A launcher whose children are tasks of this process: real sockets and frames, no processes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from typing import Any

import msgspec
from websockets.asyncio.server import serve

from ipc.frames import control
from ipc.frames.bootstrap import GatewayBoot, WorkerBoot
from ipc.identity.peer import PeerCredentials, peer_name
from ipc.zeromq.dealer import Dealer
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.processes import zygote_check
from runtime.supervisor.processes.process import Spec
from tests.support.accounts import Puppet
from tests.support.fakeserver import FakeServer

BEAT = {
    "lag": 0.0,
    "rss_bytes": 7_000_000,
    "cpu": 0.0,
    "fds": 12,
    "queued": 0,
    "queued_bytes": 0,
    "emitted": 0,
    "acked": 0,
    "messages_in": 0,
    "messages_out": 0,
    "dropped": {},
}


def beat(**fields: Any) -> control.Beat:
    """Return a beat with ordinary values, unless given."""
    return control.Beat(**({**BEAT, **fields}))


class PlayedWorker:
    """Connects and reports ready as a worker does, then sends only what a test says."""

    def __init__(self, boot: WorkerBoot, *, ready: bool = True, hello: str | None = None) -> None:
        self.boot = boot
        self.heard: list[bytes] = []
        known = PeerCredentials(peer_name(boot.key, boot.incarnation), boot.token)
        self.dealer = Dealer(boot.control, known, self.heard.append)
        self.say(control.ControlHello(boot.key, boot.incarnation, hello or boot.token, os.getpid()))
        if ready:
            self.say(control.WorkerReady())

    def say(self, *frames: control.FromWorker) -> None:
        self.dealer.send(control.encode(frames))

    def told(self) -> list[control.FromSupervisor]:
        """Return the supervisor's frames, except those about the gateway."""
        frames = [
            each for body in self.heard if body for each in control.decode_from_supervisor(body)
        ]
        return [frame for frame in frames if not isinstance(frame, control.GatewayUp)]

    def close(self) -> None:
        self.dealer.close()


class PlayedGateway(FakeServer):
    """Accepts the supervisor's session on the socket that it was given."""

    def __init__(self, methods: dict[str, Any]) -> None:
        super().__init__(methods)
        self.reports: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self._never = asyncio.Event()
        self.methods = {
            "channels.report": self._report,
            "last-heartbeat": {},
            "system-presence": {},
            "gateway.closing": {},
            "supervisor.result": self._result,
        } | methods

    def _result(self, result: dict[str, Any]) -> dict[str, Any]:
        self.results.append(result)
        return {}

    async def on_socket(self, fd: int) -> None:
        """Serve on a listening socket that stays its owner's."""
        sock = socket.socket(fileno=os.dup(fd))
        self._server = await serve(self._met, sock=sock, ping_interval=None)

    async def close(self) -> None:
        self._never.set()
        await super().close()

    def leaves_unanswered(self, *methods: str) -> None:
        """Leave the first of these requests, and all later ones, unanswered."""
        for method in methods:
            self.methods[method] = lambda params: self._never.wait()

    async def ask(self, id: int, method: str, params: Any) -> None:
        """Send the supervisor a request."""
        await self.tell("supervisor.request", {"id": id, "method": method, "params": params})

    async def told(self, id: int) -> dict[str, Any]:
        """Return the supervisor's answer."""
        await self.until(lambda: any(result["id"] == id for result in self.results))
        return next(result for result in self.results if result["id"] == id)

    def _report(self, params: dict[str, Any]) -> dict[str, Any]:
        self.reports.append(params)
        return {}

    def rows(self, key: str) -> list[dict[str, Any]]:
        """Return every reported row of an account, in order, without metrics."""
        return [report["accounts"][key] for report in self.reports if key in report["accounts"]]


class PlayedProcess(Puppet):
    """A child without a process; ``then`` is called when it ends."""

    def __init__(self, spec: Spec, pid: int, *, deaf: bool) -> None:
        key, _, incarnation = spec.name.rpartition("#")
        super().__init__(key, int(incarnation), pid, deaf=deaf)
        self.reaped = True  # its pid is the test's own: nothing may be done to that
        self.worker: PlayedWorker | None = None
        self.gateway: PlayedGateway | None = None
        self.stdout = self.stderr = -1

    async def wait(self) -> Exit:
        how = await super().wait()
        if self.worker is not None:
            self.worker.close()
        if self.gateway is not None:
            await self.gateway.close()
        return how


class PlayedLauncher:
    """A fake ``Launcher``. The fields describe the next children."""

    def __init__(self) -> None:
        self.children: list[PlayedProcess] = []
        self.preloaded: list[list[str]] = []
        self.withheld: set[str] = set()
        self.methods: dict[str, Any] = {}  # of the gateway
        self.gateway_hangs = False
        self.deaf: set[str] = set()  # keys
        self.mute: set[str] = set()  # keys that do not become ready
        self.error: Exception | None = None
        self.swept = self.zygotes = 0
        self.zygote_pid: int | None = None
        self.limits_by = "polling"
        self.starter: int | None = None  # of every process that asks

    def withhold(self, names: Iterable[str]) -> None:
        """Keep the names."""
        self.withheld |= set(names)

    async def spawn(self, spec: Spec) -> Any:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        key = spec.name.rpartition("#")[0]
        if spec.target == zygote_check.TARGET:
            child = PlayedProcess(spec, os.getpid(), deaf=False)
            child.stdout, child.stderr = os.pipe()
            child.die(Exit(code=0))
            return child
        child = PlayedProcess(spec, os.getpid(), deaf=key in self.deaf)
        if "listen" in spec.fds:
            msgspec.msgpack.decode(spec.payload, type=GatewayBoot)
            child.gateway = PlayedGateway(self.methods)
            child.gateway.hangs = self.gateway_hangs
            await child.gateway.on_socket(spec.fds["listen"])
        else:
            boot = msgspec.msgpack.decode(spec.payload, type=WorkerBoot)
            child.worker = PlayedWorker(boot, ready=key not in self.mute)
        self.children.append(child)
        return child

    @property
    def modules(self) -> list[str]:
        return self.preloaded[-1] if self.preloaded else []

    async def replace(self, modules: list[str]) -> None:
        self.preloaded.append(modules)

    def starter_of(self, pid: int) -> int | None:
        return self.starter

    def limit(self, name: str, limits: Any) -> None:
        """Do nothing: there are no control groups."""

    def of(self, key: str) -> list[PlayedProcess]:
        """Return every child of this name, in order."""
        return [child for child in self.children if child.key == key]

    @property
    def gateway(self) -> PlayedGateway:
        """The gateway that was started last."""
        found = self.of("gateway")[-1].gateway
        assert found is not None
        return found

    def worker(self, key: str) -> PlayedWorker:
        """Return the worker of an account that was started last."""
        found = self.of(key)[-1].worker
        assert found is not None
        return found


class PlayedLogs:
    """A fake ``LogStore``, which accepts any capture, or fails to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.lines: list[dict[str, Any]] = []
        self.asked: list[tuple[Any, int]] = []
        self.forgotten: list[str] = []
        self.warnings: list[str] = []

    def retry(self) -> None:
        """Do nothing: each line was taken."""

    def forget(self, name: str) -> None:
        self.forgotten.append(name)

    def capture(self, name: str, incarnation: int, process: Any, **options: Any) -> Any:
        if self.error is not None:
            raise self.error
        return self

    async def capture_or_kill(
        self, name: str, incarnation: int, process: Any, **options: Any
    ) -> Any:
        try:
            return self.capture(name, incarnation, process, **options)
        except OSError:
            process.kill()
            await process.wait()
            raise

    dropped = 0

    def drain(self) -> None:
        """Return at once: there is nothing to read."""

    def subscribe(self, subscriber: Any) -> None:
        """Do nothing: there are no lines to pass on."""

    def reconfigure(self, config: LoggingConfig) -> None:
        self.config = config

    def tail(self, names: Any, count: int) -> list[dict[str, Any]]:
        self.asked.append((names, count))
        return self.lines[-count:]
