"""Keeps the gateway running: restarts one that ends or hangs, and makes its status row.

All kinds of gateways have one lifecycle; their differences are in ``GatewayKind``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from ipc.errors import IpcError, RemoteError
from ipc.frames.status import GatewayStatus
from ipc.frames.words import ALIVE, INVALID_REQUEST, UNAVAILABLE, Phase
from ipc.procfs import rss_bytes
from runtime.config.load import Loaded
from runtime.supervisor.background import run_optional
from runtime.supervisor.changes import Changes, next_try_at
from runtime.supervisor.child import Child, Process, supervise
from runtime.supervisor.gateways.interface import NAME, GatewayKind, GatewaySession, SessionEvents
from runtime.supervisor.gateways.reload_rules import GatewayPart, part_of
from runtime.supervisor.gateways.restart_requests import Outcome, RestartAnswer, Restarts
from runtime.supervisor.lifecycle import (
    RESTART,
    Event,
    Ready,
    Restart,
    Start,
    State,
    Stop,
    Unhealthy,
)

SHUTDOWN = "shutdown"  # the method that ends a gateway which is not ours
log = structlog.get_logger("gateway")


class ManagedGateway:
    """Runs the gateway, of one kind at a time.

    Clients wait in the backlog of its socket while a new process is being started; if none is
    (stopped, failed) the socket is closed, so that they are refused at once.

    ``loaded()`` returns the present configuration. ``spawned`` counts processes that were
    started and ``sessions`` those that were opened; ``revision`` and ``spawned_with`` are the
    configuration of the present process.
    """

    def __init__(
        self,
        kind: GatewayKind,
        *,
        first_incarnation: int,
        loaded: Callable[[], Loaded],
        on_change: Callable[[], None],
    ) -> None:
        self._kind = kind
        self.restarts = Restarts()
        self.revision = ""
        self.outages = 0
        self.spawned = 0
        self.sessions = 0
        self._attempts = 0  # to open one, by sessions that are gone
        self._loaded = loaded
        self.spawned_with: GatewayPart | None = None
        self._changes = Changes(NAME, on_change)
        self._session: GatewaySession | None = None
        self._session_task: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._due: asyncio.TimerHandle | None = None  # of a restart that was put off
        self._ready_at: int | None = None
        self._last_error: str | None = None
        self._reported: list[str] = []  # warnings of its present process
        self._no_shutdown = False  # it has answered that it does not know that method
        self._stopping = asyncio.Event()  # the present start is to be given up
        self._up = False
        self.child = Child(
            NAME,
            kind.policy,
            self._spawn,
            state=State(incarnation=first_incarnation),
            on_change=self._on_child_changed,
        )

    @property
    def kind(self) -> GatewayKind:
        """The present kind of gateway."""
        return self._kind

    def set_kind(self, kind: GatewayKind) -> None:
        """Switch to another kind of gateway, from the next start on."""
        self._kind = kind
        self.child.policy = kind.policy

    async def open(self, *, force: bool = False) -> None:
        """Open the port, unless the gateway runs; raises ``PortUnusable``.

        With ``force`` the programs that hold the port are ended first.
        """
        listener = self._kind.listener
        if force and listener is not None and self.child.state.phase not in ALIVE:
            await listener.open_by_force()
        else:
            self._open_if_down()

    def close_socket(self) -> None:
        """Stop queueing clients: from now on they are refused."""
        if self._kind.listener is not None:
            self._kind.listener.close()

    @property
    def url(self) -> str:
        """The URL at which this host reaches the gateway."""
        return self._kind.url

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._kind.port

    @property
    def connected(self) -> bool:
        """Whether the session is open and the gateway knows the accounts."""
        return self._session is not None and self._session.connected

    @property
    def warnings(self) -> list[str]:
        """Warnings about the gateway and its present process, one sentence each."""
        return [*self._kind.warnings, *self._reported]

    @property
    def renewing(self) -> bool:
        """Whether a process is being started that has not read the configuration yet."""
        return self.restarts.is_starting(self.child.state)

    @property
    def attempts(self) -> int:
        """How many times opening a session was tried."""
        return self._attempts + (self._session.attempts if self._session is not None else 0)

    def start(self) -> None:
        """Start the gateway; raises ``PortUnusable`` if another program has the port."""
        self._open_if_down()
        self.child.post(Start())

    def stop(self) -> None:
        """Stop the gateway: it drains, then its socket closes. An attached one keeps running."""
        self._notify_gateway(restarting=False)
        self.child.post(Stop())

    def restart(self) -> RestartAnswer:
        """Replace the gateway's process; raises ``PortUnusable``. Clients wait in the backlog.

        It is never refused: a restart too soon after another is deferred, and one that is requested
        before the process of another was spawned joins that one.
        """
        state = self.child.state
        self._open_if_down()
        answer = self.restarts.request(state, _now())
        if answer.outcome is Outcome.NOW:
            self._restart()
        elif answer.outcome is Outcome.DEFERRED and answer.after is not None:
            self._restart_in(answer.after)
        return answer

    def respawn(self, reason: str) -> None:
        """Start the next process at once when the present one ends, without counting a failure.

        Does nothing if the gateway is no longer wanted.
        """
        if self.child.state.wanted:
            self.child.post(Restart(automatic=True, reason=reason))

    async def shut_down(self) -> str | None:
        """Ask a foreign gateway to shut down; return why that was not done, or ``None``.

        Our own gateway is not asked: there that method would end the whole daemon.
        """
        if self._kind.name == "own":
            return "left out: this gateway is Trunkline's own, the stop itself ends it"
        if self._no_shutdown:
            return "it does not know the method shutdown"
        if self._session is None:
            return "not connected"
        wrong = await self._session.try_call(SHUTDOWN, None)
        self._no_shutdown = wrong is not None and "unknown method" in wrong
        return wrong

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Return what our own gateway answers; raises ``RemoteError``."""
        if self._kind.name != "own":
            raise RemoteError(INVALID_REQUEST, f"{method}: the gateway is not Trunkline's own")
        if self._session is None or not self._session.connected:
            text = "the gateway is not running at the moment; `trunkline gateway status` has why"
            raise RemoteError(UNAVAILABLE, text, retryable=True)
        try:
            return await self._session.ask(method, params)
        except RemoteError:
            raise
        except IpcError as error:
            raise RemoteError(UNAVAILABLE, f"{method}: {error}", retryable=True) from None

    def _open_if_down(self) -> None:
        if self._kind.listener is not None and self.child.state.phase not in ALIVE:
            self._kind.listener.open()

    def _restart(self) -> None:
        self._notify_gateway(restarting=True)
        self.child.post(Restart())

    def _restart_in(self, seconds: float) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(seconds, self._restart_due)

    def _restart_due(self) -> None:
        self._due = None
        if self.restarts.pending:
            self.restarts.on_restart()
            self._restart()

    def send_changes(self) -> None:
        """Send the reporter's pending changes to the gateway."""
        if self._session is not None:
            self._session.send_changes()

    async def run(self) -> None:
        """Run the gateway's lifecycle until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await supervise(self.child)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` in a task that is cancelled when ``run`` ends."""
        assert self._tasks is not None
        self._tasks.create_task(run_optional("work beside the gateway", work))

    async def until(self, true: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until ``true()`` holds, tested after every change; return whether it did."""
        return await self._changes.until(true, timeout)

    def warn(self, warnings: list[str]) -> None:
        """Replace the warnings of the present process."""
        self._reported = warnings
        self._changes.notify()

    def _notify_gateway(self, *, restarting: bool) -> None:
        """Announce the end to the gateway, and whether another process follows, for its clients."""
        if self._kind.name == "own" and self._session is not None and self._tasks is not None:
            self._tasks.create_task(
                self._session.try_call("gateway.closing", {"restarting": restarting})
            )

    async def _spawn(self, incarnation: int) -> Process:
        self.restarts.on_spawned()
        self.spawned += 1
        loaded = self._loaded()  # from here on: what changes later needs another process
        self.revision, self.spawned_with = loaded.revision, part_of(loaded.config)
        return await self._kind.spawn(incarnation, self._stopping)

    def _on_child_changed(self, name: str, state: State, event: Event) -> None:
        if state.phase is Phase.STARTING:
            self.restarts.on_starting()
            self._stopping = asyncio.Event()
            self._reported = []
            self._open_session(state.incarnation)
        elif state.phase is Phase.STOPPING:
            self._stopping.set()
            self._count_outage(state)
        elif state.phase is not Phase.RUNNING:
            self._count_outage(state)
        if state.phase not in ALIVE:
            self._close_session()
        if state.phase in (Phase.STOPPED, Phase.FAILED):  # the next start opens it again
            self.close_socket()
        if state.reason:
            self._last_error = state.reason
        self._update_restarts(state)
        note = log.info if state.phase in ALIVE or state.phase is Phase.STOPPED else log.error
        note(
            "gateway",
            phase=state.phase.value,
            incarnation=state.incarnation,
            failures=state.failures,
            reason=state.reason,
        )
        self._changes.notify()

    def _update_restarts(self, state: State) -> None:
        due = self.restarts.on_phase(state.phase, _now())
        if due is not None:
            self._restart_in(due)
        elif self._due is not None and not self.restarts.pending:
            self._due.cancel()
            self._due = None

    def _open_session(self, incarnation: int) -> None:
        self._close_session()
        assert self._tasks is not None
        child = self.child

        def on_fault(reason: str) -> None:
            child.post(Unhealthy(incarnation, reason))

        def on_up() -> None:
            child.post(Ready(incarnation))
            self._up = True
            self.sessions += 1
            self._ready_at = int(time.time() * 1000)
            self._changes.notify()

        def on_lost(reason: str) -> None:
            self._count_outage(child.state)
            log.warning("session lost", reason=reason)
            self._changes.notify()

        self._session = self._kind.session(
            incarnation, SessionEvents(on_up, on_lost, on_fault, on_fault)
        )
        self._session_task = self._tasks.create_task(self._hold(self._session, on_fault))

    async def _hold(self, session: GatewaySession, fault: Callable[[str], None]) -> None:
        try:
            await session.run()
        except Exception as error:  # it costs this incarnation, not the supervisor
            log.exception("session failed")
            fault(f"session failed: {type(error).__name__}: {error}")

    def _count_outage(self, state: State) -> None:
        """Count the loss of a working session once, by whichever event comes first."""
        meant = not state.wanted or state.cause == RESTART
        if self._up and not meant:
            self.outages += 1
        self._up = False

    def _close_session(self) -> None:
        if self._session is not None:
            self._attempts += self._session.attempts
        if self._session_task is not None:
            self._session_task.cancel()
        self._session = self._session_task = None

    def status(self) -> GatewayStatus:
        """Return the gateway's status row."""
        state, process = self.child.state, self.child.process
        pid = (process.pid or None) if state.phase in ALIVE and process is not None else None
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
            next_try_at=next_try_at(self.child),
            ready_at=self._ready_at if state.phase is Phase.RUNNING else None,
            last_error=self._last_error,
            kind=self._kind.name,
            revision=self.revision,
            complaint=self._kind.last_error,
            rss_bytes=rss_bytes(pid) if pid is not None else None,
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
