"""Builds the parts of a gateway, and connects them.

A part that calls another one which is built later gets a function that reaches it: nothing is
called before all parts are there.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from ipc.identity.peer import PeerProof
from ipc.websocket.server import Server
from runtime.config.gateway_model import GatewayConfig
from runtime.config.http_model import CanvasHostConfig
from runtime.gateway.access.guard import AccessGuard
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.accounts.account_calls import AccountCalls
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.accounts.answering import Answering
from runtime.gateway.accounts.data_link import DataRouter
from runtime.gateway.accounts.event_positions import EventPositions
from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.handover import Handover
from runtime.gateway.accounts.health import Health
from runtime.gateway.accounts.http_calls import HttpCalls
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.accounts.replay import Replays
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.cron.links import TimerLinks
from runtime.gateway.cron.timers import Timers
from runtime.gateway.devices.devices import Devices
from runtime.gateway.devices.nodes import Nodes
from runtime.gateway.devices.registry import Registry
from runtime.gateway.figures.figures import AccountFigures
from runtime.gateway.file_limit import open_file_limit, shares
from runtime.gateway.hooks.hooks import Hooks
from runtime.gateway.http.canvas_host import CanvasHost
from runtime.gateway.http.tickets import MediaTickets
from runtime.gateway.hub import Hub
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import COPIES, FILE, Journal
from runtime.gateway.outbox.dead_letters import DeadLetters
from runtime.gateway.outbox.lending import FileLending
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.parts import GatewayParts
from runtime.gateway.presence import Presence
from runtime.gateway.readiness import Readiness
from runtime.gateway.runs.asking import RunAsking
from runtime.gateway.runs.attached import AttachedTurns
from runtime.gateway.runs.broadcast import RunBroadcast
from runtime.gateway.runs.links import RunLinks
from runtime.gateway.runs.reception import Reception
from runtime.gateway.runs.recovery import Recovery
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.sessions import SessionCache
from runtime.gateway.runs.turns import TurnLink
from runtime.gateway.runs.typing import TypingSigns
from runtime.gateway.stability import Stability
from runtime.gateway.supervisor_link import SupervisorLink, send_attached
from runtime.gateway.telemetry.telemetry import Telemetry

# For so long a thread may keep the interpreter's lock while another one waits for it. With the
# usual 5 ms a busy event loop makes each commit of the journal's thread wait several times that.
SWITCH_SECONDS = 0.0005


class Assembly:
    """The parts of a gateway around the server of its clients, built group after group."""

    # Reached by parts that are built before them.
    agents: Agents
    answering: Answering
    reception: Reception
    recovery: Recovery
    runs: Runs

    def __init__(
        self,
        boot: GatewayBoot,
        config: GatewayConfig,
        jobs: Jobs,
        guard: AccessGuard,
        server: Server,
        on_failure: Callable[[str, bool], None],
    ) -> None:
        self.boot = boot
        self.boot_id = secrets.token_hex(16)
        self.config = config
        self.jobs = jobs
        self.guard = guard
        self.server = server
        self.on_failure = on_failure
        self.flush = server.flush_soon
        self.state = Path(boot.state_dir)
        self._add_rows()
        self._add_links()
        self._add_runs()
        self._add_clients()

    def _add_rows(self) -> None:
        """Add what is known: of accounts and agents, of who may ask them, of devices."""
        boot = self.boot
        self.accounts = Accounts(boot.channels, boot.revision)
        self.health = Health(self.accounts, boot.version, lambda: self.agents.default_id)
        self.presence = Presence(boot.version, self.boot_id)
        self.readiness = Readiness(asyncio.get_running_loop().time)
        self.registry = Registry(self.state / "devices.json")
        self.gatekeeper = Gatekeeper(self._ready_journal, self.flush, self.accounts.label)
        self.agents = Agents(boot.agents, self.accounts, self.gatekeeper)

    def _add_links(self) -> None:
        """Add the links to the workers: calls, what comes in, what is sent."""
        limits = self.config.limits
        self.peers = Peers(self.accounts, PeerProof(self.boot.secret))
        self.calls = AccountCalls(self.peers, self.flush)
        self.http_calls = HttpCalls(self.peers)
        self.rings = Rings(limits.ring_messages, limits.ring_bytes)
        self.fanout = Fanout(self.flush)
        self.handover = Handover(self.rings, self.fanout)
        self.intake = Intake(
            self.peers,
            self.handover,
            self._open_journal,
            lambda key, incarnation, at, part: self.answering.on_stored(key, incarnation, at, part),
            lambda key: self.answering.forget(key),
        )
        self.positions = EventPositions(self.accounts, self.rings, self.intake)
        self.outbox = Outbox(
            self.peers,
            self.intake,
            self.calls.ask,
            self.jobs,
            self.flush,
            self.agents.on_answer,
            self.state,
            lambda key: self.reception.is_answered(key),
        )
        self.supervisor = SupervisorLink()

    def _add_runs(self) -> None:
        """Add the runs of agents, and what begins them for messages."""
        self.sessions = SessionCache(self._ready_journal)
        self.turns = TurnLink(self.peers, on_ready=self._on_agent_ready)
        self.attached = AttachedTurns(
            self.turns,
            self.agents.is_attached,
            on_ready=self._on_agent_ready,
            on_change=self._on_attached_changed,
        )
        self.runs = Runs(
            RunLinks(
                journal=self._journal,
                flush_soon=self.flush,
                agents=self.agents,
                turns=self.attached,
                outbox=self.outbox,
                sessions=self.sessions,
                jobs=self.jobs,
                abilities=self.accounts.abilities,
                queue=lambda run: self.reception.queue_of(run),
                silent_groups=lambda: self.reception.silent_groups,
                files=FileLending(self.state),
            )
        )
        self.reception = Reception(
            self.agents,
            self.gatekeeper,
            self.sessions,
            self.runs,
            self._journal,
            self.accounts,
            self.boot.version,
        )
        self.answering = Answering(
            self.agents,
            self.jobs,
            self.outbox,
            self.gatekeeper,
            self.intake,
            self.reception,
            self.runs,
            self.flush,
            self.state,
        )
        self.runs.watch(TypingSigns(self.accounts, self.calls.ask).on_update)

    def _add_clients(self) -> None:
        """Add what clients get, and what begins runs without a message."""
        tick = self.config.tick_interval_ms / 1000
        self.hub = Hub(self.accounts, self.health, self.presence, self.readiness, tick)
        self.broadcast = RunBroadcast(self.hub, self.sessions, self.runs)
        self.timers = Timers(
            TimerLinks(
                journal=self._journal,
                open_journal=self.intake.open,
                flush_soon=self.flush,
                agents=self.agents,
                accounts=self.accounts,
                runs=self.runs,
                sessions=self.sessions,
                outbox=self.outbox,
                hub=self.hub,
                jobs=self.jobs,
            )
        )
        self.recovery = Recovery(
            self.runs, self.intake, self.jobs, lambda: self.state / FILE, self._on_whole
        )
        self.asking = RunAsking(
            self.agents, self.intake, self.runs, self.sessions, self.broadcast, self.flush
        )

    def parts(self) -> GatewayParts:
        """Return all parts, with those that no other one needs."""
        boot, config = self.boot, self.config
        return GatewayParts(
            boot=boot,
            boot_id=self.boot_id,
            config=config,
            tickets=MediaTickets(boot.secret),
            canvas=CanvasHost(msgspec.convert(boot.canvas, CanvasHostConfig), boot.secret),
            jobs=self.jobs,
            guard=self.guard,
            readiness=self.readiness,
            stability=Stability(),
            server=self.server,
            most_clients=min(config.limits.max_clients, shares(open_file_limit()).clients),
            hub=self.hub,
            presence=self.presence,
            supervisor=self.supervisor,
            registry=self.registry,
            devices=Devices(self.registry),
            nodes=Nodes(self.registry, config.nodes, self.boot_id[:8]),
            accounts=self.accounts,
            health=self.health,
            agents=self.agents,
            gatekeeper=self.gatekeeper,
            rings=self.rings,
            positions=self.positions,
            fanout=self.fanout,
            replays=Replays(self.rings, self.intake, self.positions),
            peers=self.peers,
            calls=self.calls,
            http_calls=self.http_calls,
            turns=self.turns,
            attached=self.attached,
            handover=self.handover,
            intake=self.intake,
            outbox=self.outbox,
            dead_letters=DeadLetters(self.outbox, self.intake, self.flush),
            answering=self.answering,
            sessions=self.sessions,
            runs=self.runs,
            broadcast=self.broadcast,
            asking=self.asking,
            timers=self.timers,
            hooks=Hooks(self.timers, self.asking),
            reception=self.reception,
            recovery=self.recovery,
            figures=AccountFigures(self.accounts, self.jobs, self.state),
            telemetry=Telemetry(config.telemetry, self.state, boot.version),
            data_link=self._data_link(),
        )

    def _data_link(self) -> DataRouter:
        return DataRouter(
            self.boot.data,
            self.boot_id,
            peers=self.peers,
            calls=self.calls,
            http_calls=self.http_calls,
            rings=self.rings,
            handover=self.handover,
            intake=self.intake,
            turns=self.turns,
            output=self.server,
            on_message=self.answering.on_message,
            on_welcome=self._on_welcome,
            on_progress=self.outbox.on_progress,
        )

    def _journal(self) -> Journal | None:
        return self.intake.journal

    def _ready_journal(self) -> Journal | None:
        return self.intake.journal if self.intake.ready else None

    def _open_journal(self, on_change: Callable[[], None]) -> Journal:
        # Late: few of the rooms behind it are used by a gateway whose accounts store nothing.
        from runtime.gateway.journal.stored import StoredJournal

        sys.setswitchinterval(SWITCH_SECONDS)
        # What a commit lets out leaves now: where the loop is busy the end of its turn is far away.
        return StoredJournal(
            self.state / FILE,
            on_change=self.recovery.after(on_change),
            on_commit=self.server.flush_now,
            on_failure=self.on_failure,
            copies=self.state / COPIES,
        )

    def _on_agent_ready(self, agent: str, number: int) -> None:
        self.runs.on_agent_ready(agent, number)

    def _on_attached_changed(self) -> None:
        self.jobs.start(send_attached(self.supervisor, self.attached.agents))

    def _on_whole(self) -> None:
        self.timers.begin()
        self.answering.resume()

    def _on_welcome(self, key: str) -> None:
        self.outbox.on_welcome(key)  # first: what was left goes before new answers
        self.answering.on_welcome(key)
