"""The real parts of a supervisor without sockets, with fake processes and a fake gateway."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from ipc.endpoints import SocketPaths
from ipc.frames.status import AccountStatus, Hold
from ipc.identity.peer import PeerProof
from runtime.config.accounts import AccountSpec
from runtime.config.load import Loaded, load_text
from runtime.config.places import Places
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor import status
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.channel_zygotes import ChannelZygotes
from runtime.supervisor.accounts.control_link import ControlLink
from runtime.supervisor.accounts.crash_storm import CrashStorm
from runtime.supervisor.accounts.heartbeat import Silence
from runtime.supervisor.accounts.history import History
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.accounts.launch import AccountLauncher, WorkerLauncher
from runtime.supervisor.accounts.link_reports import LinkReports
from runtime.supervisor.accounts.network import Network
from runtime.supervisor.accounts.roster import Roster
from runtime.supervisor.accounts.start_queue import StartQueue
from runtime.supervisor.accounts.watch import AccountWatch
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
from runtime.supervisor.logs.recent import RecentLog
from runtime.supervisor.offload import Offload
from runtime.supervisor.own_files import OwnFiles
from runtime.supervisor.parts import Parts, SupervisorProcess
from runtime.supervisor.processes.preloading import plan
from runtime.supervisor.processes.zygote_check import ZygoteCheck
from runtime.supervisor.reactions import (
    on_account_changed,
    on_account_hello,
    on_account_removed,
    on_gateway_changed,
)
from runtime.supervisor.reload import apply_config
from runtime.supervisor.shutdown import Shutdown
from runtime.supervisor.systemd import Notifier
from tests.support.players import PlayedLauncher, PlayedLogs

SECRET = b"secret-of-this-boot"
VERSION = "1.2"


async def nothing_to_repair() -> str | None:
    return None


@dataclass
class Outside:
    """What is around the accounts. ``gateway_up`` of ``None``: as the gateway itself says."""

    route: bool = True
    free_memory: float = 0.5
    gateway_up: bool | None = None
    repair: Callable[[], Awaitable[str | None]] = nothing_to_repair


@dataclass
class PartsRig:
    """Parts and a record of their actions. Add ``accounts`` to the roster to start them.

    ``workers`` starts the accounts' processes, by default as the product does, with ``launcher``.
    """

    directory: Path
    launcher: Any = field(default_factory=PlayedLauncher)
    workers: AccountLauncher | None = None
    outside: Outside = field(default_factory=Outside)
    boot: int = 0
    first_incarnation: int = 0
    concurrency: int = 8
    config: Mapping[str, Any] = field(default_factory=dict)
    told: list[AccountStatus] = field(default_factory=list)  # rows, at every change
    removed: list[str] = field(default_factory=list)
    events: list[tuple[str, Any]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)  # keys whose changes cannot be told
    ended: int = 0

    def __post_init__(self) -> None:
        self.logs = PlayedLogs()
        run_dir = self.directory / "run"
        config_path = self.directory / "trunkline.json5"
        places = Places(self.directory, config_path, run_dir, self.directory / "logs", None)
        self.configuration = Configuration(self.read(), self.read)
        self.parts = self._assemble(places)

    def read(self, text: str | None = None) -> Loaded:
        """Return the parsed configuration of ``config``, or of ``text``."""
        given = {
            "gateway": {"auth": {"token": "t"}},
            "supervisor": {"startConcurrency": self.concurrency},
        }
        whole = text or json.dumps(given | dict(self.config))
        return load_text(self.directory / "trunkline.json5", whole)

    async def ask(self, name: str, **params: Any) -> Any:
        """Execute a request of this host's operator; the answer must be JSON."""
        return await self.ask_as(name, params, remote=False)

    async def ask_as(self, name: str, params: dict[str, Any], *, remote: bool) -> Any:
        """Execute a request from this host or through a gateway; the answer must be JSON."""
        answer = await dispatch(self.parts, name, params, remote=remote)
        msgspec.json.encode(answer)
        return answer

    def take_over(self, accounts: Mapping[str, AccountSpec]) -> dict[str, Any]:
        """Apply a configuration with other accounts."""
        loaded = msgspec.structs.replace(self.configuration.loaded, accounts=dict(accounts))
        return apply_config(self.parts, loaded)

    def close(self) -> None:
        """Close all parts except the roster."""
        self.parts.offload.close()
        self.parts.starts.close()
        self.parts.history.close()

    def _assemble(self, places: Places) -> Parts:
        history = History(places.state_dir / "history.jsonl")
        holds = Holds(places.state_dir / "holds.json")
        holds.recover(self.configuration.loaded.workers, history.of)
        starts = StartQueue(self.concurrency)
        reports, background = self._reports(), Background()
        factory = self._factory(places, reports)
        gateway = ManagedGateway(
            factory.make(self.configuration.config.gateway, "127.0.0.1", 0),
            first_incarnation=self.first_incarnation,
            loaded=lambda: self.configuration.loaded,
            on_change=lambda: on_gateway_changed(self.parts),
        )
        channels = ChannelZygotes(
            plan(self.configuration.loaded.workers.values()),
            self.launcher,
            cast(Any, self.logs),
            background.start,
        )
        return Parts(
            about=SupervisorProcess(VERSION, self.boot),
            places=places,
            endpoints=SocketPaths(places.run_dir),
            secret=SECRET,
            configuration=self.configuration,
            config_watch=ConfigWatch(places.config_path, lambda: None, lambda: None),
            roster=Roster(
                holds,
                first_incarnation=self.first_incarnation,
                make=self._account,
                on_removed=self._removed,
            ),
            holds=holds,
            history=history,
            starts=starts,
            storm=self._storm(starts),
            link=self._link(places),
            links=LinkReports(lambda: self.parts.roster.workers, self._changed),
            watch=AccountWatch(
                lambda: self.parts.roster.workers,
                beat=lambda: 5.0,
                gateway_up=lambda: True,
                on_change=self._changed,
            ),
            workers=WorkerLauncher(
                starts,
                channels,
                cast(Any, self.logs),
                configuration=self.configuration,
                places=places,
                proof=PeerProof(SECRET),
                drain=lambda: None,
            ),
            gateway=gateway,
            reconfiguration=Reconfiguration(
                gateway, factory, lambda: self.configuration.loaded, background.start
            ),
            reports=reports,
            channel_zygotes=channels,
            launcher=self.launcher,
            zygote=ZygoteCheck(self.launcher),
            logs=cast(Any, self.logs),
            files=OwnFiles(Instance(places.state_dir), cast(Any, self.logs)),
            recent_log=RecentLog(),
            offload=Offload(),
            notifier=Notifier({}),
            background=background,
            shutdown=Shutdown(self._ending),
            broadcast=lambda name, payload: self.events.append((name, payload)),
        )

    def _account(self, spec: WorkerSpec, first_incarnation: int, hold: Hold | None) -> Account:
        return Account(
            spec,
            silence=Silence(15.0, 30.0),
            first_incarnation=first_incarnation,
            launcher=self.workers or self.parts.workers,
            on_change=self._changed,
            hold=hold,
            past=self.parts.history.of(spec.key),
            on_event=self.parts.history.add,
        )

    def _changed(self, account: Account) -> None:
        if account.key in self.failing:
            raise RuntimeError("a follower of changes that fails")
        on_account_changed(self.parts, account)
        self.told.append(account.status())

    def _removed(self, key: str, last: int) -> None:
        on_account_removed(self.parts, key, last)
        self.removed.append(key)

    def _ending(self) -> None:
        self.parts.roster.close_entry()
        self.ended += 1

    def _storm(self, starts: StartQueue) -> CrashStorm:
        def gateway_up() -> bool:
            gateway = self.parts.gateway
            as_it_is = gateway.connected or not gateway.child.state.wanted
            return as_it_is if self.outside.gateway_up is None else self.outside.gateway_up

        def network(on_return: Callable[[], None]) -> Network:
            return Network(on_return, has_route=lambda: self.outside.route, notices=lambda: None)

        return CrashStorm(
            starts,
            lambda: self.parts.roster.workers.values(),
            gateway_up=gateway_up,
            repair=lambda: self.outside.repair(),
            network=network,
            memory=lambda: self.outside.free_memory,
        )

    def _link(self, places: Places) -> ControlLink:
        return ControlLink(
            SocketPaths(places.run_dir).control,
            SECRET,
            find=lambda key: self.parts.roster.get(key),
            on_hello=lambda account: on_account_hello(self.parts, account),
            on_change=lambda account: self.parts.watch.on_patch(account),
            on_figures=lambda account: self.parts.reports.mark_figures(account.key),
        )

    def _reports(self) -> Reports:
        return Reports(
            revision=lambda: self.configuration.revision,
            keys=lambda: self.parts.roster.workers,
            row=lambda key: status.account_row(self.parts, key),
            common=lambda: status.beside_accounts(self.parts),
            wake=lambda: self.parts.gateway.send_changes(),
        )

    def _factory(self, places: Places, reports: Reports) -> GatewayFactory:
        context = GatewayContext(
            version=VERSION,
            launcher=self.launcher,
            logs=cast(Any, self.logs),
            boot=lambda incarnation, token: status.gateway_boot(self.parts, incarnation, token),
            reporter=reports,
            answer=lambda name, params, by: dispatch(self.parts, name, params, remote=True, by=by),
            respawn=lambda reason: self.parts.gateway.respawn(reason),
        )
        return GatewayFactory(context, places.state_dir)
