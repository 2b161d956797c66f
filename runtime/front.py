"""The gateway as the supervisor's child: its listening socket, its process, its session.

The socket is the supervisor's, so that a gateway restart refuses nobody; it is closed only
when the gateway is stopped on purpose (DESIGN section 2).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from ipc.bootstrap import GatewayBoot
from ipc.report import GatewayStatus
from runtime import vitals
from runtime.child import Child
from runtime.keeper import keep
from runtime.lifecycle import (
    ALIVE,
    GATEWAY_POLICY,
    RESTART,
    Event,
    Phase,
    Policy,
    Ready,
    Restart,
    Start,
    State,
    Stop,
    Unhealthy,
)
from runtime.logs import LogStore
from runtime.port import listen
from runtime.process import Launcher, Process, Spec
from runtime.session import Reporter, Session

NAME = "gateway"
log = structlog.get_logger("gateway")


class Front:
    """Owns the gateway. ``boot`` makes the bootstrap object of one incarnation."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        version: str,
        first_incarnation: int,
        launcher: Launcher,
        logs: LogStore,
        boot: Callable[[int, str], GatewayBoot],
        reporter: Reporter,
        answer: Callable[[str, Any], Awaitable[Any]],
        on_change: Callable[[], None],
        silence: float = 30.0,
        policy: Policy = GATEWAY_POLICY,
    ) -> None:
        self.host = host
        self.port = port
        self._version = version
        self._launcher = launcher
        self._logs = logs
        self._boot = boot
        self._reporter = reporter
        self._answer = answer
        self._on_change = on_change
        self._silence = silence
        self._token = secrets.token_urlsafe(32)
        self._socket: socket.socket | None = None
        self._session: Session | None = None
        self._session_task: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._ready_at: int | None = None
        self._last_error: str | None = None
        self._up = False
        self.outages = 0
        self.child = Child(
            NAME,
            policy,
            self._spawn,
            first_incarnation=first_incarnation,
            on_change=self._child_changed,
        )

    def open(self, *, force: bool = False) -> None:
        """Open the listening socket; raises ``PortUnusable``."""
        if self._socket is None:
            self._socket = listen(self.host, self.port, force=force)
            self.port = self._socket.getsockname()[1]

    async def seize(self) -> None:
        """Open the socket, and end the programs that hold the port; raises ``PortUnusable``."""
        if self._socket is None:
            taken = await asyncio.to_thread(listen, self.host, self.port, force=True)
            if self._socket is None:
                self._socket = taken
            else:  # somebody else was faster
                taken.close()

    def close_socket(self) -> None:
        """Stop queueing clients: from now on they are refused."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def url(self) -> str:
        """Where this host reaches the gateway."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        if ":" in host:
            host = f"[{host}]"
        return f"ws://{host}:{self.port}"

    @property
    def connected(self) -> bool:
        """Whether the session is open and the gateway knows the accounts."""
        return self._session is not None and self._session.connected

    def start(self) -> None:
        """Want it up. Raises ``PortUnusable`` when somebody took the port meanwhile."""
        self.open()
        self.child.post(Start())

    def stop(self) -> None:
        """Want it down: it drains, then its socket closes."""
        self._tell_gateway(restarting=False)
        self.child.post(Stop())

    def restart(self) -> None:
        """Replace it in place; clients wait in the backlog meanwhile."""
        self.open()
        self._tell_gateway(restarting=True)
        self.child.post(Restart())

    def changed(self) -> None:
        """Say that the reporter has something new."""
        if self._session is not None:
            self._session.changed()

    async def run(self) -> None:
        """Keep the gateway as it is wanted until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await keep(self.child)

    async def until(self, true: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until ``true()``, looked at after every change; return whether it became so."""
        await asyncio.sleep(0)  # what was posted before counts: the child is due in this turn
        if true():
            return True
        entry = (true, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout):
                await entry[1]
        except TimeoutError:
            return False
        finally:
            self._waiting.remove(entry)
        return True

    def _tell_gateway(self, *, restarting: bool) -> None:
        """Say whether a successor comes, so that clients are told when to come back."""
        if self._session is not None and self._tasks is not None:
            self._tasks.create_task(
                self._session.tell("gateway.closing", {"restarting": restarting})
            )

    async def _spawn(self, incarnation: int) -> Process:
        self.open()  # a stop that was taken back may have closed it
        assert self._socket is not None
        boot = self._boot(incarnation, self._token)
        process = await self._launcher.spawn(
            Spec(
                name=f"{NAME}#{incarnation}",
                target="runtime.gateway.main:main",
                payload=msgspec.msgpack.encode(boot),
                fds={"listen": self._socket.fileno()},
            )
        )
        try:
            self._logs.capture(NAME, incarnation, process)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return process

    def _child_changed(self, name: str, state: State, event: Event) -> None:
        if state.phase is Phase.STARTING:
            self._open_session(state.incarnation)
        elif state.phase is not Phase.RUNNING:
            self._count_outage(state)
        if state.phase not in ALIVE:
            self._close_session()
        if state.phase is Phase.STOPPED:
            self.close_socket()
        if state.reason:
            self._last_error = state.reason
        note = log.info if state.phase in ALIVE or state.phase is Phase.STOPPED else log.error
        note(
            "gateway",
            phase=state.phase.value,
            incarnation=state.incarnation,
            failures=state.failures,
            reason=state.reason,
        )
        self._tell()

    def _open_session(self, incarnation: int) -> None:
        self._close_session()
        assert self._tasks is not None
        child = self.child

        def fault(reason: str) -> None:
            child.post(Unhealthy(incarnation, reason))

        def up() -> None:
            child.post(Ready(incarnation))
            self._up = True
            self._ready_at = int(time.time() * 1000)
            self._tell()

        def lost(reason: str) -> None:
            self._count_outage(child.state)
            log.warning("session lost", reason=reason)
            self._tell()

        self._session = Session(
            self.url,
            self._token,
            version=self._version,
            reporter=self._reporter,
            answer=self._answer,
            on_up=up,
            on_lost=lost,
            on_fault=fault,
            silence=self._silence,
        )
        self._session_task = self._tasks.create_task(self._session.run())

    def _count_outage(self, state: State) -> None:
        """Count the loss of a working session once, whichever news of it comes first."""
        meant = not state.wanted or state.cause == RESTART
        if self._up and not meant:
            self.outages += 1
        self._up = False

    def _close_session(self) -> None:
        if self._session_task is not None:
            self._session_task.cancel()
        self._session = self._session_task = None

    def _tell(self) -> None:
        for true, future in self._waiting:
            if not future.done() and true():
                future.set_result(None)
        try:
            self._on_change()
        except Exception:  # whoever is told must not cost the gateway
            log.exception("change not told")

    def status(self) -> GatewayStatus:
        """Return the gateway's status row."""
        state, process = self.child.state, self.child.process
        pid = process.pid if state.phase in ALIVE and process is not None else None
        due = self.child.deadline
        waits = state.phase is Phase.BACKOFF and due is not None
        left = due - asyncio.get_running_loop().time() if waits and due is not None else 0.0
        return GatewayStatus(
            phase=state.phase.value,
            cause=state.cause,
            pid=pid,
            incarnation=state.incarnation,
            port=self.port,
            url=self.url,
            connected=self.connected,
            failures=state.failures,
            outages=self.outages,
            next_try_at=int((time.time() + left) * 1000) if waits else None,
            ready_at=self._ready_at if state.phase is Phase.RUNNING else None,
            last_error=self._last_error,
            rss_bytes=vitals.rss_bytes(pid) if pid is not None else None,
        )
