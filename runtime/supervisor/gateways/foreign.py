"""Runs a foreign gateway, any OpenClaw-compatible program, as our child.

It opens its port itself, so its clients are refused while it restarts. Its problems have to be
read from its standard error; its configuration may be repaired once by a program that the
operator configured; and it is not started while another program holds its port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import structlog
from msgspec.structs import replace

from runtime.supervisor.child import Process, StandInProcess
from runtime.supervisor.gateways.diagnosis import Kind, diagnose
from runtime.supervisor.gateways.interface import (
    NAME,
    GatewayContext,
    GatewaySession,
    Listener,
    SessionEvents,
)
from runtime.supervisor.gateways.operator_session import Access, OperatorSession
from runtime.supervisor.gateways.port import listen
from runtime.supervisor.gateways.stderr import StderrFilter, StderrRing
from runtime.supervisor.gateways.stderr_verdict import ProcessWithStderr
from runtime.supervisor.lifecycle import MISCONFIGURED, Exit
from runtime.supervisor.policy import Policy
from runtime.supervisor.processes.process import SpawnedProcess, Spec

READY_WITHIN = 300.0
STOP_WITHIN = 15.0
SILENCE = 180.0
REPAIR_WITHIN = 120.0
POLICY = Policy(initial=0.5, maximum=30.0, healthy_after=60.0, slow_after=None)

log = structlog.get_logger("gateway")


class Program(msgspec.Struct, frozen=True):
    """The foreign program. It gets its port and its token through its environment."""

    command: tuple[str, ...]
    host: str
    port: int
    repair: tuple[str, ...] = ()
    reload_signal: int | None = None
    silence: float = SILENCE


class ProgramPort:
    """The port that the program opens itself, which must be free at its start."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    def open(self) -> None:
        """Check that the port is free; raises ``PortUnusable``."""
        listen(self._host, self._port).close()

    async def open_by_force(self) -> None:
        """End the programs that hold the port; raises ``PortUnusable``."""
        await asyncio.to_thread(lambda: listen(self._host, self._port, force=True).close())

    def close(self) -> None:
        """Do nothing: the port is the program's own."""


class ForeignGateway:
    """Starts the program and classifies how it ends."""

    name = "command"
    warnings: Sequence[str] = ()

    def __init__(
        self, program: Program, access: Access, context: GatewayContext, *, policy: Policy = POLICY
    ) -> None:
        self.program = program
        self.port = program.port
        self.policy = policy
        self.listener: Listener | None = ProgramPort(program.host, program.port)
        self._access = access
        self._context = context
        self._stderr = StderrRing()
        self._process: ProcessWithStderr | None = None
        self._damage: str | None = None  # what the next start is to repair first
        self._repaired = False
        self._refused: str | None = None
        self._signalled = False

    @property
    def url(self) -> str:
        """The URL at which this host reaches the gateway."""
        return self._access.url

    @property
    def last_error(self) -> str | None:
        """The last line on its standard error that is worth a warning."""
        return self._stderr.last_error

    def reload(self) -> bool:
        """Send the reload signal; return whether there is one and a process to get it."""
        number = self.program.reload_signal
        if number is None or self._process is None:
            return False
        self._signalled = True
        self._process.signal(number)
        return True

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Process:
        """Start the program, after a pending repair; raises ``PortUnusable``."""
        self._refused, self._signalled = None, False
        token = await self._access.token()
        self._stderr = StderrRing([token] if token else [])
        if self._damage is not None:
            damage, self._damage = self._damage, None
            if not await self._repair(incarnation, token, stopping):
                unstarted = StandInProcess()
                unstarted.end(Exit(said=MISCONFIGURED, text=damage))
                return unstarted
        assert self.listener is not None
        await asyncio.to_thread(self.listener.open)
        process = await self._spawn(NAME, self.program.command, incarnation, token)
        self._process = await ProcessWithStderr.capture(
            process, self._context.logs, incarnation, self._stderr, self._classify
        )
        return self._process

    def session(self, incarnation: int, events: SessionEvents) -> GatewaySession:
        """Return an operator's session to it."""

        def on_up() -> None:
            self._repaired = False  # another damage later may be repaired again
            events.up()

        def on_refused(reason: str) -> None:
            self._refused = reason  # its exit needs a person then
            events.refused(reason)

        return OperatorSession(
            self._access,
            replace(events, up=on_up, refused=on_refused),
            silence=self.program.silence,
            lost_within=self.policy.ready_within,
        )

    async def _spawn(
        self, name: str, command: tuple[str, ...], incarnation: int, token: str | None
    ) -> SpawnedProcess:
        env = {"OPENCLAW_GATEWAY_PORT": str(self.port), "OPENCLAW_SKIP_CHANNELS": "1"}
        return await self._context.launcher.spawn(
            Spec(
                name=f"{name}#{incarnation}",
                target="",
                payload=b"",
                command=command,
                env=env | ({"OPENCLAW_GATEWAY_TOKEN": token} if token else {}),
                last_files=True,
            )
        )

    def _classify(self, how: Exit, lines: list[str]) -> Exit:
        """Classify an exit: transient, repairable, or one that needs a person."""
        self._process = None
        if self._refused is not None:
            return replace(how, said=MISCONFIGURED, text=self._refused)
        if self._signalled and how.signal == self.program.reload_signal:
            log.warning("the gateway does not know gateway.reloadSignal: it is restarted")
            self._context.respawn("the signal to reload has ended it")
            return how
        found = diagnose(how, lines)
        if found.kind is Kind.TRANSIENT:
            return replace(how, text=found.text)
        if found.kind is Kind.CONFIGURATION and self.program.repair and not self._repaired:
            self._damage = found.text
            self._context.respawn(found.text)  # the repair comes first, and waits for nothing
            return replace(how, text=found.text)
        return replace(how, said=MISCONFIGURED, text=found.text)

    async def _repair(self, incarnation: int, token: str | None, stopping: asyncio.Event) -> bool:
        """Run the repair, once; return whether it succeeded."""
        self._repaired = True
        log.warning("repairing the gateway's configuration", command=self.program.repair[0])
        process = await self._spawn("repair", self.program.repair, incarnation, token)
        stderr = StderrRing([token] if token else [])
        self._context.logs.capture(NAME, incarnation, process, filter_line=StderrFilter(stderr))
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait(
                {ended, stopped}, timeout=REPAIR_WITHIN, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopped.cancel()
            if not ended.done():
                process.kill()
            how = await asyncio.shield(ended)
        log.warning("repair ended", how=str(how))
        return how.code == 0
