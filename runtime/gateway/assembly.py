"""Makes the parts of a gateway, and connects them."""

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
from runtime.gateway.supervisor_link import SupervisorLink, tell_attached
from runtime.gateway.telemetry.telemetry import Telemetry

# For so long a thread may keep the interpreter's lock while another one waits for it. With the
# usual 5 ms a busy event loop makes each commit of the journal's thread wait several times that.
SWITCH_SECONDS = 0.0005


def assemble(
    boot: GatewayBoot,
    config: GatewayConfig,
    jobs: Jobs,
    guard: AccessGuard,
    server: Server,
    on_failure: Callable[[str, bool], None],
) -> GatewayParts:
    """Make the parts of a gateway around the server of its clients."""
    boot_id = secrets.token_hex(16)
    accounts = Accounts(boot.channels, boot.revision)
    health = Health(accounts, boot.version, lambda: agents.default_id)
    presence = Presence(boot.version, boot_id)
    readiness = Readiness(asyncio.get_running_loop().time)
    registry = Registry(Path(boot.state_dir) / "devices.json")
    peers = Peers(accounts, PeerProof(boot.secret))
    calls = AccountCalls(peers, server.flush_soon)
    http_calls = HttpCalls(peers)
    gatekeeper = Gatekeeper(
        lambda: intake.journal if intake.ready else None, server.flush_soon, accounts.label
    )
    agents = Agents(boot.agents, accounts, gatekeeper)
    rings = Rings(config.limits.ring_messages, config.limits.ring_bytes)
    fanout = Fanout(server.flush_soon)
    handover = Handover(rings, fanout)
    intake = Intake(
        peers,
        handover,
        lambda on_change: _open_journal(boot, recovery.after(on_change), on_failure),
        lambda key, incarnation, at, part: answering.on_stored(key, incarnation, at, part),
        lambda key: answering.forget(key),
    )
    flush, state = server.flush_soon, Path(boot.state_dir)
    outbox = Outbox(
        peers,
        intake,
        calls.ask,
        jobs,
        flush,
        agents.on_answer,
        state,
        lambda key: reception.is_answered(key),
    )
    supervisor = SupervisorLink()
    sessions = SessionCache(lambda: intake.journal if intake.ready else None)
    turns = TurnLink(peers, on_ready=lambda agent, number: runs.agent_ready(agent, number))
    attached = AttachedTurns(
        turns,
        agents.is_attached,
        on_ready=lambda agent, number: runs.agent_ready(agent, number),
        on_change=lambda: jobs.start(tell_attached(supervisor, attached.agents)),
    )
    runs = Runs(
        RunLinks(
            journal=lambda: intake.journal,
            flush_soon=flush,
            agents=agents,
            turns=attached,
            outbox=outbox,
            sessions=sessions,
            jobs=jobs,
            abilities=accounts.abilities,
            queue=lambda run: reception.queue_of(run),
            silent_groups=lambda: reception.silent_groups,
            files=FileLending(state),
        )
    )
    reception = Reception(
        agents, gatekeeper, sessions, runs, lambda: intake.journal, accounts, boot.version
    )
    answering = Answering(agents, jobs, outbox, gatekeeper, intake, reception, runs, flush, state)
    runs.watch(TypingSigns(accounts, calls.ask).on_update)
    hub = Hub(accounts, health, presence, readiness, config.tick_interval_ms / 1000)
    broadcast = RunBroadcast(hub, sessions, runs)
    timers = Timers(
        TimerLinks(
            journal=lambda: intake.journal,
            open_journal=intake.open,
            flush_soon=flush,
            agents=agents,
            accounts=accounts,
            runs=runs,
            sessions=sessions,
            outbox=outbox,
            hub=hub,
            jobs=jobs,
        )
    )

    def on_whole() -> None:
        timers.begin()
        answering.resume()

    recovery = Recovery(runs, intake, jobs, lambda: state / FILE, on_whole)
    asking = RunAsking(agents, intake, runs, sessions, broadcast, flush)

    def on_welcome(key: str) -> None:
        outbox.welcomed(key)  # first: what was left goes before new answers
        answering.welcomed(key)

    return GatewayParts(
        boot=boot,
        boot_id=boot_id,
        config=config,
        tickets=MediaTickets(boot.secret),
        canvas=CanvasHost(msgspec.convert(boot.canvas, CanvasHostConfig), boot.secret),
        jobs=jobs,
        guard=guard,
        readiness=readiness,
        stability=Stability(),
        server=server,
        most_clients=min(config.limits.max_clients, shares(open_file_limit()).clients),
        hub=hub,
        presence=presence,
        supervisor=supervisor,
        registry=registry,
        devices=Devices(registry),
        nodes=Nodes(registry, config.nodes, boot_id[:8]),
        accounts=accounts,
        health=health,
        agents=agents,
        gatekeeper=gatekeeper,
        rings=rings,
        positions=EventPositions(accounts, rings, intake),
        fanout=fanout,
        peers=peers,
        calls=calls,
        http_calls=http_calls,
        turns=turns,
        attached=attached,
        handover=handover,
        intake=intake,
        outbox=outbox,
        answering=answering,
        sessions=sessions,
        runs=runs,
        broadcast=broadcast,
        asking=asking,
        timers=timers,
        hooks=Hooks(timers, asking),
        reception=reception,
        recovery=recovery,
        figures=AccountFigures(accounts, jobs, state),
        telemetry=Telemetry(config.telemetry, state, boot.version),
        data_link=DataRouter(
            boot.data,
            boot_id,
            peers=peers,
            calls=calls,
            http_calls=http_calls,
            rings=rings,
            handover=handover,
            intake=intake,
            turns=turns,
            output=server,
            on_message=answering.on_message,
            on_welcome=on_welcome,
            on_progress=outbox.progress,
        ),
    )


def _open_journal(
    boot: GatewayBoot, on_change: Callable[[], None], on_failure: Callable[[str, bool], None]
) -> Journal:
    # Late: few of the rooms behind it are used by a gateway whose accounts store nothing.
    from runtime.gateway.journal.stored import StoredJournal

    sys.setswitchinterval(SWITCH_SECONDS)
    state = Path(boot.state_dir)
    return StoredJournal(
        state / FILE, on_change=on_change, on_failure=on_failure, copies=state / COPIES
    )
