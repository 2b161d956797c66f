"""Defines the parts of a running supervisor, for the functions that work on them.

``supervisor`` assembles, runs and ends the parts. Requests, reload and status are functions of
``Parts``: they import this module, and nothing of ``Supervisor``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ipc.endpoints import SocketPaths
from ipc.hidden_fields import hide_fields
from runtime.config.places import Places
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.channel_zygotes import ChannelZygotes
from runtime.supervisor.accounts.control_link import ControlLink
from runtime.supervisor.accounts.crash_storm import CrashStorm
from runtime.supervisor.accounts.history import History
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.accounts.launch import WorkerLauncher
from runtime.supervisor.accounts.link_reports import LinkReports
from runtime.supervisor.accounts.roster import Roster
from runtime.supervisor.accounts.start_queue import StartQueue
from runtime.supervisor.accounts.watch import AccountWatch
from runtime.supervisor.background import Background
from runtime.supervisor.config_watch import ConfigWatch
from runtime.supervisor.configuration import Configuration
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.reconfigure import Reconfiguration
from runtime.supervisor.gateways.reports import Reports
from runtime.supervisor.logs.recent import RecentLog
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.offload import Offload
from runtime.supervisor.own_files import OwnFiles
from runtime.supervisor.processes import vitals
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.zygote_check import ZygoteCheck
from runtime.supervisor.shutdown import Shutdown
from runtime.supervisor.systemd import Notifier


class SupervisorProcess:
    """This supervisor's process: version, boot number, pid, start time and CPU use."""

    def __init__(self, version: str, boot: int) -> None:
        self.version = version
        self.boot = boot
        self.pid = os.getpid()
        self.started_at = int(time.time() * 1000)  # epoch milliseconds
        self._cpu = (time.monotonic(), time.process_time())

    @property
    def cpu_seconds(self) -> float:
        """The CPU seconds used so far."""
        return time.process_time()

    def cpu_percent(self) -> float | None:
        """Return the share of a core since the last call."""
        (then, before), self._cpu = self._cpu, (time.monotonic(), time.process_time())
        now, used = self._cpu
        return vitals.share_percent(used - before, now - then)


@hide_fields("secret")
class Parts(msgspec.Struct, frozen=True):
    """The parts of one supervisor.

    The workers' tokens are derived from ``secret``, which is new at each boot. ``broadcast(event,
    payload)`` sends an event to all connections of ``cli.sock``.
    """

    about: SupervisorProcess
    places: Places
    endpoints: SocketPaths
    secret: bytes
    configuration: Configuration
    config_watch: ConfigWatch
    # Accounts and agents, and what starts and watches them.
    roster: Roster
    holds: Holds
    history: History
    starts: StartQueue
    storm: CrashStorm
    link: ControlLink
    links: LinkReports
    watch: AccountWatch
    workers: WorkerLauncher
    channel_zygotes: ChannelZygotes
    # The gateway, and what it is sent.
    gateway: ManagedGateway
    reconfiguration: Reconfiguration
    reports: Reports
    # What they all use.
    launcher: Launcher
    zygote: ZygoteCheck
    logs: LogStore
    files: OwnFiles
    recent_log: RecentLog
    offload: Offload
    notifier: Notifier
    background: Background
    shutdown: Shutdown
    broadcast: Callable[[str, Any], None]

    @property
    def accounts(self) -> dict[str, Account]:
        """The accounts by key, in the order of the configuration."""
        return self.roster.accounts

    @property
    def agents(self) -> dict[str, Account]:
        """The agents by key, in the order of the configuration."""
        return self.roster.agents
