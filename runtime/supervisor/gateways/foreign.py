"""A gateway of somebody else as our child: any OpenClaw-compatible program.

It opens its port itself, so while it restarts its clients are refused; that is its way. What
is wrong with it has to be read from its standard error, its configuration may be repaired once
by a program that the operator named, and of a port that somebody else holds it is kept away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from runtime.supervisor.child import Process
from runtime.supervisor.gateways.diagnosis import Kind, diagnose
from runtime.supervisor.gateways.interface import Link, News
from runtime.supervisor.gateways.operator_session import Access, OutsideSession
from runtime.supervisor.gateways.port import listen
from runtime.supervisor.gateways.stderr import Complaints
from runtime.supervisor.gateways.stderr_verdict import Judged, Screen
from runtime.supervisor.lifecycle import MISCONFIGURED, Exit, Policy
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import SpawnedProcess, Spec

NAME = "gateway"
READY_WITHIN = 300.0
STOP_WITHIN = 15.0
SILENCE = 180.0
REPAIR_WITHIN = 120.0
POLICY = Policy(initial=0.5, maximum=30.0, healthy_after=60.0, slow_after=None)

log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. Its port and its token it gets through its environment."""

    command: tuple[str, ...]
    host: str
    port: int
    repair: tuple[str, ...] = ()
    reload_signal: int | None = None
    silence: float = SILENCE


class ForeignGateway:
    """Starts the program and judges how it ends. ``again(reason)`` has another start
    follow at once.
    """

    kind = "command"

    def __init__(
        self,
        program: Program,
        access: Access,
        *,
        launcher: Launcher,
        logs: LogStore,
        again: Callable[[str], None],
        policy: Policy = POLICY,
    ) -> None:
        self.program = program
        self.port = program.port
        self.policy = policy
        self._access = access
        self._launcher = launcher
        self._logs = logs
        self._again = again
        self._complaints = Complaints()
        self._process: Judged | None = None
        self._repairing: SpawnedProcess | None = None
        self._damage: str | None = None  # what the next start is to repair first
        self._repaired = False
        self._refused: str | None = None
        self._signalled = False

    @property
    def url(self) -> str:
        """Where this host reaches it."""
        return self._access.url

    @property
    def last_error(self) -> str | None:
        """The last line on its standard error that is worth a warning."""
        return self._complaints.last_error

    def open(self, *, force: bool = False) -> None:
        """See that the port is free for it; raises ``PortUnusable``."""
        listen(self.program.host, self.port, force=force).close()

    async def seize(self) -> None:
        """Free the port for it by ending who holds it; raises ``PortUnusable``."""
        await asyncio.to_thread(self.open, force=True)

    def close(self) -> None:
        """Do nothing: the port is its own."""

    def interrupt(self) -> None:
        """Give up a repair that is under way."""
        if self._repairing is not None:
            self._repairing.kill()

    def refused(self, reason: str) -> None:
        """Note that it will not have us: its exit needs a person then."""
        self._refused = reason

    def works(self) -> None:
        """Note that it answers: another damage later may be repaired again."""
        self._repaired = False

    def reload(self) -> bool:
        """Have it read its configuration again; return whether there is a way to."""
        number = self.program.reload_signal
        if number is None or self._process is None:
            return False
        self._signalled = True
        self._process.signal(number)
        return True

    async def spawn(self, incarnation: int) -> Process:
        """Start it, after a repair where that is due; raises ``PortUnusable``."""
        self._refused, self._signalled = None, False
        token = await self._access.token()
        self._complaints = Complaints([token] if token else [])
        if self._damage is not None:
            damage, self._damage = self._damage, None
            if not await self._repair(incarnation, token):
                return Stillborn(Exit(said=MISCONFIGURED, text=damage))
        await asyncio.to_thread(self.open)
        process = await self._launcher.spawn(
            Spec(
                name=f"{NAME}#{incarnation}",
                target="",
                payload=b"",
                command=self.program.command,
                env=self._environment(token),
            )
        )
        complaints = self._complaints
        self._process = await Judged.of(
            process, self._logs, NAME, incarnation, complaints, self._judge
        )
        return self._process

    def session(self, incarnation: int, news: News) -> Link:
        """Return an operator's session to it."""

        def up() -> None:
            self.works()
            news.up()

        return OutsideSession(
            self._access,
            replace(news, up=up),
            silence=self.program.silence,
            lost_within=self.policy.ready_within,
        )

    def _environment(self, token: str | None) -> dict[str, str]:
        env = {"OPENCLAW_GATEWAY_PORT": str(self.port), "OPENCLAW_SKIP_CHANNELS": "1"}
        return env | ({"OPENCLAW_GATEWAY_TOKEN": token} if token else {})

    def _judge(self, how: Exit, lines: list[str]) -> Exit:
        """Say what an exit is taken for: passing, to be repaired, or a person's to mend."""
        self._process = None
        if self._refused is not None:
            return replace(how, said=MISCONFIGURED, text=self._refused)
        if self._signalled and how.signal == self.program.reload_signal:
            log.warning("the gateway does not know gateway.reloadSignal: it is restarted")
            self._again("the signal to reload has ended it")
            return how
        found = diagnose(how, lines)
        if found.kind is Kind.TRANSIENT:
            return replace(how, text=found.text)
        if found.kind is Kind.CONFIGURATION and self.program.repair and not self._repaired:
            self._damage = found.text
            self._again(found.text)  # the repair comes first, and waits for nothing
            return replace(how, text=found.text)
        return replace(how, said=MISCONFIGURED, text=found.text)

    async def _repair(self, incarnation: int, token: str | None) -> bool:
        """Run the repair, once; return whether it went well."""
        self._repaired = True
        log.warning("repairing the gateway's configuration", command=self.program.repair[0])
        process = await self._launcher.spawn(
            Spec(
                name=f"repair#{incarnation}",
                target="",
                payload=b"",
                command=self.program.repair,
                env=self._environment(token),
            )
        )
        screen = Screen(Complaints([token] if token else []))
        self._logs.capture(NAME, incarnation, process, filter_line=screen)
        self._repairing = process
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({ended}, timeout=REPAIR_WITHIN)
        finally:
            self._repairing = None
            if not ended.done():
                process.kill()
            how = await asyncio.shield(ended)
        log.warning("repair ended", how=str(how))
        return how.code == 0


class Stillborn:
    """Stands for a process that was not worth starting."""

    pid = 0

    def __init__(self, how: Exit) -> None:
        self._how = how

    def terminate(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing."""

    async def wait(self) -> Exit:
        """Return why."""
        return self._how
