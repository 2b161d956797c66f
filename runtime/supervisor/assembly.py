"""Makes the parts of the supervisor and connects them; starts none of them."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from ipc.endpoints import SocketPaths
from ipc.frames.status import Hold
from ipc.identity.peer import PeerProof
from runtime.config.load import Loaded, Reader
from runtime.config.places import Places
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor import status
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.channel_zygotes import ChannelZygotes
from runtime.supervisor.accounts.control_link import ControlLink
from runtime.supervisor.accounts.crash_storm import CrashStorm
from runtime.supervisor.accounts.heartbeat import Silence
from runtime.supervisor.accounts.history import HISTORY, History
from runtime.supervisor.accounts.holds import HOLDS, Holds
from runtime.supervisor.accounts.launch import WorkerLauncher
from runtime.supervisor.accounts.link_reports import LinkReports
from runtime.supervisor.accounts.roster import Roster
from runtime.supervisor.accounts.start_queue import StartQueue
from runtime.supervisor.accounts.watch import AccountWatch
from runtime.supervisor.api.socket import LocalServer
from runtime.supervisor.api.table import dispatch
from runtime.supervisor.background import Background
from runtime.supervisor.config_watch import ConfigWatch
from runtime.supervisor.configuration import Configuration
from runtime.supervisor.gateways.factory import GatewayFactory
from runtime.supervisor.gateways.interface import GatewayContext
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.reconfigure import Reconfiguration
from runtime.supervisor.gateways.reports import Reports
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.line import timestamp
from runtime.supervisor.logs.recent import RecentLog
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.offload import Offload
from runtime.supervisor.own_files import OwnFiles
from runtime.supervisor.parts import Parts, SupervisorProcess
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.preloading import plan
from runtime.supervisor.processes.zygote_check import ZygoteCheck
from runtime.supervisor.reactions import (
    on_account_changed,
    on_account_hello,
    on_account_removed,
    on_gateway_changed,
)
from runtime.supervisor.reload import reread_soon
from runtime.supervisor.shutdown import Shutdown
from runtime.supervisor.systemd import Notifier


class Setting(msgspec.Struct, frozen=True):
    """The options of the command line that are not part of the configuration.

    ``force`` ends another program that holds the gateway's port. ``output`` is the output file of a
    detached supervisor.
    """

    version: str
    host: str
    port: int
    read: Reader
    force: bool = False
    output: Path | None = None
    notifier: Notifier = msgspec.field(default_factory=lambda: Notifier({}))


class SupervisorAssembly:
    """The ``parts`` of one supervisor, and ``local``, the server of ``cli.sock``.

    Parts that call another one reach it through ``parts`` when they do: none is called before all
    are there.
    """

    def __init__(
        self,
        loaded: Loaded,
        places: Places,
        setting: Setting,
        *,
        instance: Instance,
        launcher: Launcher,
        logs: LogStore,
    ) -> None:
        self._setting = setting
        self._instance = instance
        configuration = Configuration(loaded, setting.read)
        self.parts = self._assemble(configuration, places, launcher, logs)
        self.local = LocalServer(self.parts)
        logs.subscribe(self.parts.recent_log.add_line)
        logs.subscribe(self.local.log_line)

    def _assemble(
        self, configuration: Configuration, places: Places, launcher: Launcher, logs: LogStore
    ) -> Parts:
        endpoints, secret = SocketPaths(places.run_dir), secrets.token_bytes(32)
        history, holds = History(places.state_dir / HISTORY), Holds(places.state_dir / HOLDS)
        # Holds of what is not configured stay: this configuration may be a wrong one.
        holds.recover(configuration.loaded.workers, history.of)
        starts = StartQueue(configuration.config.supervisor.start_concurrency)
        zygote = ZygoteCheck(launcher)
        reports = self._reports()
        factory = self._gateway_factory(places, launcher, logs, reports)
        gateway = self._gateway(configuration, factory)
        background = Background()
        channels = ChannelZygotes(
            plan(configuration.loaded.workers.values()), launcher, logs, background.start
        )
        return Parts(
            about=SupervisorProcess(self._setting.version, self._instance.boot),
            places=places,
            endpoints=endpoints,
            secret=secret,
            configuration=configuration,
            config_watch=ConfigWatch(places.config_path, self._quiet, self._on_file_changed),
            roster=self._roster(holds),
            holds=holds,
            history=history,
            starts=starts,
            storm=self._storm(starts, zygote),
            link=self._control_link(endpoints, secret),
            links=LinkReports(lambda: self.parts.roster.workers, self._on_account_changed),
            watch=self._account_watch(),
            workers=WorkerLauncher(
                starts,
                channels,
                logs,
                configuration=configuration,
                places=places,
                proof=PeerProof(secret),
                drain=lambda: self.parts.link.drain_now(),
            ),
            channel_zygotes=channels,
            gateway=gateway,
            reconfiguration=Reconfiguration(
                gateway, factory, lambda: configuration.loaded, background.start
            ),
            reports=reports,
            launcher=launcher,
            zygote=zygote,
            logs=logs,
            files=OwnFiles(self._instance, logs, self._setting.output, places),
            recent_log=RecentLog(timestamp()),
            offload=Offload(),
            notifier=self._setting.notifier,
            background=background,
            shutdown=Shutdown(self._on_ending),
            broadcast=lambda event, payload: self.local.broadcast(event, payload),
        )

    def _roster(self, holds: Holds) -> Roster:
        return Roster(
            holds,
            first_incarnation=self._instance.first_incarnation,
            make=self._account,
            on_removed=lambda key, last: on_account_removed(self.parts, key, last),
        )

    def _account(self, spec: WorkerSpec, first_incarnation: int, hold: Hold | None) -> Account:
        own = self.parts.configuration.config.supervisor
        return Account(
            spec,
            silence=Silence(own.suspect_after_seconds, own.silent_after_seconds),
            first_incarnation=first_incarnation,
            launcher=self.parts.workers,
            on_change=self._on_account_changed,
            hold=hold,
            past=self.parts.history.of(spec.key),
            on_event=self.parts.history.add,
        )

    def _on_account_changed(self, account: Account) -> None:
        on_account_changed(self.parts, account)

    def _storm(self, starts: StartQueue, zygote: ZygoteCheck) -> CrashStorm:
        def gateway_up() -> bool:
            gateway = self.parts.gateway
            return gateway.connected or not gateway.child.state.wanted

        return CrashStorm(
            starts,
            lambda: self.parts.roster.workers.values(),
            gateway_up=gateway_up,
            repair=zygote.repair,
        )

    def _control_link(self, endpoints: SocketPaths, secret: bytes) -> ControlLink:
        return ControlLink(
            endpoints.control,
            secret,
            find=lambda key: self.parts.roster.get(key),
            on_hello=lambda account: on_account_hello(self.parts, account),
            on_change=lambda account: self.parts.watch.on_patch(account),
            on_figures=lambda account: self.parts.reports.mark_figures(account.key),
        )

    def _account_watch(self) -> AccountWatch:
        return AccountWatch(
            lambda: self.parts.roster.workers,
            beat=lambda: self.parts.configuration.config.supervisor.beat_seconds,
            gateway_up=lambda: self.parts.gateway.connected,
            on_change=self._on_account_changed,
        )

    def _reports(self) -> Reports:
        def seal(revision: str) -> str:
            return self.parts.configuration.seal(revision)

        return Reports(
            revision=lambda: seal(self.parts.configuration.revision),
            keys=lambda: self.parts.roster.workers,
            row=lambda key: status.account_row(self.parts, key),
            common=lambda: status.beside_accounts(self.parts),
            wake=lambda: self.parts.gateway.send_changes(),
            metrics=lambda: status.metrics(self.parts),
            seal=seal,
            on_answer=lambda answer: self.parts.links.apply(answer),
        )

    def _gateway_factory(
        self, places: Places, launcher: Launcher, logs: LogStore, reports: Reports
    ) -> GatewayFactory:
        context = GatewayContext(
            version=self._setting.version,
            launcher=launcher,
            logs=logs,
            boot=lambda incarnation, token: status.gateway_boot(self.parts, incarnation, token),
            reporter=reports,
            answer=lambda method, params, by: dispatch(
                self.parts, method, params, remote=True, by=by
            ),
            respawn=lambda reason: self.parts.gateway.respawn(reason),
        )
        return GatewayFactory(context, places.state_dir)

    def _gateway(self, configuration: Configuration, factory: GatewayFactory) -> ManagedGateway:
        setting = self._setting
        return ManagedGateway(
            factory.make(configuration.config.gateway, setting.host, setting.port),
            first_incarnation=self._instance.first_incarnation,
            loaded=lambda: configuration.loaded,
            on_change=lambda: on_gateway_changed(self.parts),
        )

    def _quiet(self) -> float | None:
        """Return the seconds that the file must be unchanged; ``None``: do not watch it."""
        reload = self.parts.configuration.config.gateway.reload
        return None if reload.mode == "off" else reload.debounce_ms / 1000

    def _on_file_changed(self) -> None:
        reread_soon(self.parts, asked=False)

    def _on_ending(self) -> None:
        self.parts.notifier.send_stopping()
        self.parts.roster.close_entry()  # from this very moment nothing is started
