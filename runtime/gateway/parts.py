"""Holds the parts of one gateway, which its clients, methods, endpoints and reports work on."""

from __future__ import annotations

import asyncio

import msgspec

from ipc.frames.bootstrap import GatewayBoot
from ipc.websocket.server import Server
from runtime.config.gateway_model import GatewayConfig
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
from runtime.gateway.accounts.local_people import LocalPeople
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.accounts.replay import Replays
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.cron.timers import Timers
from runtime.gateway.devices.devices import Devices
from runtime.gateway.devices.nodes import Nodes
from runtime.gateway.devices.registry import Registry
from runtime.gateway.figures.figures import AccountFigures
from runtime.gateway.hooks.hooks import Hooks
from runtime.gateway.http.api_figures import ApiFigures
from runtime.gateway.http.canvas_host import CanvasHost
from runtime.gateway.http.tickets import MediaTickets
from runtime.gateway.hub import Hub
from runtime.gateway.jobs import Jobs
from runtime.gateway.outbox.dead_letters import DeadLetters
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.presence import Presence
from runtime.gateway.readiness import Readiness
from runtime.gateway.runs.asking import RunAsking
from runtime.gateway.runs.attached import AttachedTurns
from runtime.gateway.runs.broadcast import RunBroadcast
from runtime.gateway.runs.reception import Reception
from runtime.gateway.runs.recovery import Recovery
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.sessions import SessionCache
from runtime.gateway.runs.turns import TurnLink
from runtime.gateway.stability import Stability
from runtime.gateway.supervisor_link import SupervisorLink
from runtime.gateway.telemetry.telemetry import Telemetry

MOST_PAGES = 2  # of transcripts that are read at the same time


class GatewayParts(msgspec.Struct, frozen=True):
    """The parts of one gateway process. ``Gateway.start`` makes them, and none is replaced.

    ``boot_id`` is new for each process. ``server`` is the clients' port, ``data_link`` and
    ``peers`` are the workers' side, ``intake`` what of it is stored first, ``calls`` the calls to
    accounts, ``http_calls`` the HTTP requests to them, ``turns`` those of agents,
    ``attached`` those of programs that are clients, ``runs`` what
    these are asked, ``broadcast`` what clients see of it, ``asking`` begins those of clients,
    ``supervisor`` the link to the supervisor, ``tickets`` let clients fetch files, ``canvas`` is
    what nodes and browsers show. ``timers`` begin runs without a message, ``hooks`` those that
    HTTP requests ask for. ``gatekeeper`` decides whose messages are answered. ``figures`` are sent
    to clients and kept for a day, ``telemetry`` has traces of messages exported. ``pages`` is held
    while one of a transcript is read.
    """

    boot: GatewayBoot
    boot_id: str
    config: GatewayConfig
    tickets: MediaTickets
    canvas: CanvasHost
    jobs: Jobs
    guard: AccessGuard
    readiness: Readiness
    stability: Stability

    server: Server
    most_clients: int  # the configured number, or what the process has files for
    hub: Hub
    presence: Presence
    supervisor: SupervisorLink

    registry: Registry
    devices: Devices
    nodes: Nodes

    accounts: Accounts
    health: Health
    agents: Agents
    gatekeeper: Gatekeeper
    rings: Rings
    positions: EventPositions
    fanout: Fanout
    replays: Replays
    peers: Peers
    calls: AccountCalls
    http_calls: HttpCalls
    turns: TurnLink
    attached: AttachedTurns
    handover: Handover
    intake: Intake
    outbox: Outbox
    dead_letters: DeadLetters
    answering: Answering
    sessions: SessionCache
    runs: Runs
    broadcast: RunBroadcast
    asking: RunAsking
    reception: Reception
    recovery: Recovery
    timers: Timers
    hooks: Hooks
    data_link: DataRouter
    figures: AccountFigures
    telemetry: Telemetry

    pages: asyncio.Semaphore = msgspec.field(default_factory=lambda: asyncio.Semaphore(MOST_PAGES))
    local_people: LocalPeople = msgspec.field(default_factory=LocalPeople)
    api: ApiFigures = msgspec.field(default_factory=ApiFigures)  # requests to the HTTP API
