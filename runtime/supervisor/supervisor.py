"""Assembles the parts of the supervisor, runs them, and ends them in order.

It makes no decisions: policy is in ``lifecycle``, processes in ``processes``, operators' requests
in ``api``, changes of the configuration in ``reload``. It carries no chat messages.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from ipc.endpoints import SocketPaths
from ipc.frames.status import Hold
from ipc.frames.words import Phase
from ipc.identity.peer import PeerProof
from ipc.websocket.probe import challenges
from runtime.config.errors import ConfigError
from runtime.config.gateway_rules import beside_foreign_problems
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
from runtime.supervisor.accounts.roster import Roster, is_down
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
from runtime.supervisor.gateways.port import PortTaken
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

WATCH = 1.0  # seconds between checks of silent workers
FIGURES = 5.0  # seconds between reports of mere figures
STOP_ACCOUNTS = 6.0  # everything is stopped after 7 s, at worst
STOP_ALL = 7.0

log = structlog.get_logger("supervisor")


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


class Supervisor:
    """The supervisor of one daemon. ``run`` returns when all of its parts have ended."""

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

    # Parts that call another one reach it through ``self.parts`` when they do: none of them is
    # called before all are there.

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

    async def run(self, on_up: Callable[[], None]) -> int:
        """Run until stopped; ``on_up`` is called when the gateway answers for the first time.

        Raises ``EndpointError``, ``PortUnusable`` or ``OSError`` if it cannot start.
        """
        parts = self.parts
        parts.endpoints.prepare()
        parts.configuration.log_warnings()
        await self._open_port()
        try:
            parts.link.open()
            await self.local.start()
            async with parts.background:
                await self._serve(on_up)
        finally:
            parts.offload.close()
            await parts.roster.close()
            await parts.channel_zygotes.close()
            parts.starts.close()
            parts.history.close()
            await self.local.close()
            parts.link.close()
            parts.gateway.close_socket()
        return 0

    async def _open_port(self) -> None:
        """Open the port or, if configured, attach to the gateway that has it."""
        gateway, configuration = self.parts.gateway, self.parts.configuration
        try:
            await gateway.open(force=self._setting.force)
        except PortTaken as error:
            if not await challenges(gateway.url):
                raise
            if configuration.config.gateway.attach != "auto":
                raise error.by_a_gateway() from None
            loaded = configuration.loaded
            if found := beside_foreign_problems(loaded.workers):
                raise ConfigError(str(loaded.path), found) from None
            log.info("attaching", url=gateway.url)
            self.parts.reconfiguration.attach(gateway.url)

    async def _serve(self, on_up: Callable[[], None]) -> None:
        parts = self.parts
        async with asyncio.TaskGroup() as tasks:
            helpers = [
                tasks.create_task(parts.gateway.run()),
                tasks.create_task(self._watch()),
                tasks.create_task(self._announce(on_up)),
            ]
            parts.background.start_permanent("watching the configuration", self._watch_file())
            parts.background.start_permanent("watching for storms", parts.storm.run())
            parts.gateway.start()
            for spec in parts.configuration.loaded.workers.values():
                parts.roster.add(spec)
            await parts.shutdown.wait()
            await self._stop_all()
            for task in helpers:
                task.cancel()

    async def _announce(self, on_up: Callable[[], None]) -> None:
        gateway = self.parts.gateway
        await gateway.until(lambda: gateway.connected, None)
        try:
            on_up()
        except Exception:  # the terminal may be gone, or a full disk behind it
            log.exception("the start could not be announced")

    async def _watch_file(self) -> None:
        gateway = self.parts.gateway
        # The start comes first, unless a change of the file is what it needs.
        await gateway.until(
            lambda: gateway.connected or gateway.child.state.phase in (Phase.BACKOFF, Phase.FAILED),
            None,
        )
        await self.parts.config_watch.run()

    async def _watch(self) -> None:
        """Check the workers and our own socket until cancelled."""
        parts, loop = self.parts, asyncio.get_running_loop()
        reported = loop.time()
        while True:
            beat = parts.configuration.config.supervisor.beat_seconds
            await asyncio.sleep(min(WATCH, beat / 2))
            try:
                parts.watch.check(parts.link)
                parts.links.end_reconnecting("control", parts.link.reconnecting)
                parts.files.check()
                await self.local.ensure()
            except Exception:  # one odd account must not leave the others unwatched
                log.exception("watching failed")
            if loop.time() - reported >= FIGURES:
                reported = loop.time()
                parts.reports.flush()

    async def _stop_all(self) -> None:
        """Stop the accounts and agents, then the gateway, which still takes their last messages."""
        parts, loop = self.parts, asyncio.get_running_loop()
        ends = loop.time() + STOP_ALL
        self.local.broadcast("shutdown", {"reason": "supervisor stopping"})
        parts.roster.stop_all()
        await parts.shutdown.unless_hurried(parts.roster.wait_down(STOP_ACCOUNTS))
        for account in parts.roster.workers.values():
            if account.child.process is not None and not is_down(account.child.state):
                log.warning("killed at the end", account=account.key)
                account.child.process.kill()
        parts.gateway.close_socket()
        parts.gateway.stop()
        child, left = parts.gateway.child, ends - loop.time()
        await parts.shutdown.unless_hurried(
            parts.gateway.until(lambda: child.state.phase is Phase.STOPPED, left)
        )
