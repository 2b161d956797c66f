"""The supervisor: it owns who lives and dies, and what the operator wants.

It assembles the parts and decides nothing by itself: policy is in ``lifecycle``, processes
are in ``process``, requests in ``commands``. It carries no chat.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import structlog

from ipc.endpoints import SocketPaths
from ipc.errors import RemoteError
from ipc.frames.bootstrap import ChannelInfo, GatewayBoot, WorkerBoot
from ipc.frames.control import Rechecked
from ipc.frames.status import AccountStatus, Hold, Status, SupervisorStatus
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, Phase
from ipc.heartbeat import Verdict
from ipc.identity.peer import PeerProof, peer_name
from ipc.websocket.probe import challenges
from runtime.config.accounts import AccountSpec, channels
from runtime.config.errors import ConfigError
from runtime.config.gateway_rules import beside_foreign_problems
from runtime.config.load import Loaded, Reader, config_warnings
from runtime.config.model import Config
from runtime.config.places import Places
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.control_link import ControlLink, DrainedProcess
from runtime.supervisor.accounts.crash_storm import CrashStorm
from runtime.supervisor.accounts.health import HealthCheck
from runtime.supervisor.accounts.heartbeat import Silence
from runtime.supervisor.accounts.history import History
from runtime.supervisor.accounts.holds import Holds
from runtime.supervisor.accounts.roster import Roster, is_down
from runtime.supervisor.accounts.start_queue import StartQueue
from runtime.supervisor.api import config as _config  # noqa: F401
from runtime.supervisor.api import logs as _logs  # noqa: F401
from runtime.supervisor.api import table, upkeep  # noqa: F401
from runtime.supervisor.api.socket import LocalServer
from runtime.supervisor.background import run_optional
from runtime.supervisor.child import Process
from runtime.supervisor.config_watch import ConfigWatch
from runtime.supervisor.gateways.factory import GatewayFactory
from runtime.supervisor.gateways.interface import GatewayContext
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.gateways.reconfigure import Reconfiguration
from runtime.supervisor.gateways.reports import Reports
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.metrics import of_supervisor
from runtime.supervisor.notify import Notifier
from runtime.supervisor.offload import Remote
from runtime.supervisor.processes import vitals
from runtime.supervisor.processes.launcher import Launcher, zygote_modules
from runtime.supervisor.processes.limits import ProcessLimits, group_limits
from runtime.supervisor.processes.process import Spec
from runtime.supervisor.processes.zygote_check import ZygoteCheck
from runtime.supervisor.service import summary

WATCH = 1.0  # seconds between looks at silent workers
FIGURES = 5.0  # seconds between reports of mere figures
STOP_ACCOUNTS = 6.0  # DESIGN section 7: everything is stopped after 7 s, at worst
STOP_ALL = 7.0

log = structlog.get_logger("supervisor")


@dataclass(frozen=True, slots=True)
class Setting:
    """What the command line decided, beyond the configuration."""

    version: str
    host: str
    port: int
    load: Reader
    token: str | None = None
    force: bool = False


class Supervisor:
    """One daemon. ``run`` returns when everything of ours has ended."""

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
        self.loaded = loaded
        self.places = places
        self.version = setting.version
        self.pid = os.getpid()
        self.logs = logs
        self.warnings: list[str] = config_warnings(loaded)
        self._setting = setting
        self._instance = instance
        self._launcher = launcher
        self._secret = secrets.token_bytes(32)
        self._started_at = int(time.time() * 1000)
        self._endpoints = SocketPaths(places.run_dir)
        self.holds = Holds(places.state_dir / "holds.json")
        self._gate = StartQueue(loaded.config.supervisor.start_concurrency)
        self.history = History(places.state_dir / "history.jsonl")
        self._zygote_check = ZygoteCheck(launcher)
        self.crash_storm = CrashStorm(
            self._gate,
            lambda: self.accounts.values(),
            gateway_up=lambda: self.front.connected or not self.front.child.state.wanted,
            repair=self._zygote_check.repair,
        )
        self.remote = Remote(logs, setting.load)
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._link: ControlLink | None = None
        self._cpu = (time.monotonic(), time.process_time())
        self._health_checks: WeakKeyDictionary[Account, HealthCheck] = WeakKeyDictionary()
        self._talked: set[str] = set()  # accounts whose plugin has spoken since the last look
        self._patched: set[str] = set()  # and those that have spoken again
        self.roster = Roster(
            self.holds,
            first_incarnation=instance.first_incarnation,
            make=self._make,
            on_removed=self._account_removed,
        )
        self.reports = Reports(
            revision=lambda: self.remote.seal(self.loaded.revision),
            keys=lambda: self.accounts,
            row=self._row,
            common=self._common,
            wake=lambda: self.front.changed(),
            metrics=lambda: of_supervisor(self),
            seal=self.remote.seal,
        )
        context = GatewayContext(
            version=setting.version,
            launcher=launcher,
            logs=logs,
            boot=self._gateway_boot,
            reporter=self.reports,
            answer=self.dispatch,
            respawn=lambda reason: self.front.respawn(reason),
        )
        self._factory = GatewayFactory(context, places.state_dir)
        self.front = ManagedGateway(
            self._factory.make(loaded.config.gateway, setting.host, setting.port),
            first_incarnation=instance.first_incarnation,
            loaded=lambda: self.loaded,
            on_change=self._front_changed,
        )
        self.reconfiguration = Reconfiguration(
            self.front,
            self._factory,
            lambda: self.loaded,
            lambda name, work: self.front.background(work),
        )
        self.watch = ConfigWatch(places.config_path, self._quiet, self._file_changed)
        self.notifier = Notifier({})
        self._tasks: asyncio.TaskGroup | None = None
        self.invalid: str | None = None  # what is wrong with the file, where it is not taken over
        self.local = LocalServer(self._endpoints.cli, self)

    # -- life ---------------------------------------------------------------------------

    @property
    def accounts(self) -> dict[str, Account]:
        """The accounts by key, in the order of the configuration."""
        return self.roster.accounts

    async def run(self, on_up: Callable[[], None]) -> int:
        """Run until stopped; ``on_up`` is called when the gateway answers for the first time.

        Raises ``EndpointError``, ``PortUnusable`` or ``OSError`` when it cannot begin.
        """
        self._endpoints.prepare()
        self._log_warnings()
        await self._settle_port()
        try:
            self._link = ControlLink(
                self._endpoints.control,
                self._secret,
                find=lambda key: self.accounts.get(key),
                on_hello=self._account_met,
                on_change=self._account_patched,
                on_figures=lambda account: self.reports.figures(account.key),
            )
            await self.local.start()
            await self._live(self._link, on_up)
        finally:
            self.remote.close()
            await self.roster.close()
            self._gate.close()
            self.history.close()
            await self.local.close()
            if self._link is not None:
                self._link.close()
            self.front.close_socket()
        return 0

    def _log_warnings(self) -> None:
        for warning in self.warnings:
            log.warning(warning)

    async def _settle_port(self) -> None:
        """Open the port, or attach to the gateway that has it, where that is wanted."""
        config = self.loaded.config.gateway
        try:
            await self.front.open(force=self._setting.force)
        except PortTaken as error:
            if not await challenges(self.front.url):
                raise
            if config.attach != "auto":
                raise error.by_a_gateway() from None
            if found := beside_foreign_problems(self.loaded.accounts):
                raise ConfigError(str(self.loaded.path), found) from None
            log.info("attaching", url=self.front.url)
            self.front.become(self._factory.attach(config, self.front.url))

    async def _live(self, link: ControlLink, on_up: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            helpers = [
                tasks.create_task(self.front.run()),
                tasks.create_task(self._watch(link)),
                tasks.create_task(self._announce(on_up)),
                tasks.create_task(run_optional("watching the configuration", self._watch_file())),
                tasks.create_task(run_optional("watching for storms", self.crash_storm.run())),
            ]
            self.front.start()
            for spec in self.loaded.accounts.values():
                self.roster.add(spec)
            await self._stopping.wait()
            await self._wind_down()
            for task in helpers:
                task.cancel()

    def request_stop(self, reason: str) -> None:
        """End everything; a second request ends it at once."""
        if self._stopping.is_set():
            log.warning("ending at once", reason=reason)
            self._hurry.set()
        else:
            log.info("stopping", reason=reason)
            self.notifier.stopping()
            self.roster.closing = True  # from this very moment nothing is started
            self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether the end has begun: nothing is started any more."""
        return self._stopping.is_set()

    async def _announce(self, on_up: Callable[[], None]) -> None:
        await self.front.until(lambda: self.front.connected, None)
        try:
            on_up()
        except Exception:  # the terminal may be gone, or a full disk behind it
            log.exception("nobody could be told that it is up")

    async def _wind_down(self) -> None:
        """Stop the accounts, whose last messages the gateway still takes, then the gateway."""
        ends = asyncio.get_running_loop().time() + STOP_ALL
        self.local.broadcast("shutdown", {"reason": "supervisor stopping"})
        self.roster.stop_all()
        await self._unless_hurried(self.roster.down(STOP_ACCOUNTS))
        for account in self.accounts.values():
            if account.child.process is not None and not is_down(account.child.state):
                log.warning("killed at the end", account=account.key)
                account.child.process.kill()
        self.front.close_socket()
        self.front.stop()
        child = self.front.child
        left = ends - asyncio.get_running_loop().time()
        await self._unless_hurried(
            self.front.until(lambda: child.state.phase is Phase.STOPPED, left)
        )

    async def _unless_hurried(self, work: Coroutine[Any, Any, object]) -> None:
        """Wait for ``work``, or until a second request to stop says: at once."""
        task = asyncio.create_task(work)
        hurry = asyncio.create_task(self._hurry.wait())
        try:
            await asyncio.wait({task, hurry}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            hurry.cancel()
            await asyncio.wait({task, hurry})

    async def _watch(self, link: ControlLink) -> None:
        """Look after the workers and our own socket, for ever."""
        reported = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(min(WATCH, self.loaded.config.supervisor.beat_seconds / 2))
            try:
                self._judge(link)
                await self.local.ensure()
            except Exception:  # one odd account must not leave the others unwatched
                log.exception("watching failed")
            now = asyncio.get_running_loop().time()
            if now - reported >= FIGURES:
                reported = now
                self.reports.hurry()

    def _judge(self, link: ControlLink) -> None:
        """Judge silent workers. Read what has come first: our own delay is not theirs."""
        link.drain_now()
        now = asyncio.get_running_loop().time()
        for account in list(self.accounts.values()):
            link.pace(account, self.loaded.config.supervisor.beat_seconds)
            if account.check(now) is Verdict.ASK:
                link.ask(account)
                self._account_changed(account)
            self._health_checks[account].look(now)
        patched, self._patched, self._talked = self._patched, set(), set()
        for key in patched:
            if key in self.accounts:
                self._account_changed(self.accounts[key])

    # -- accounts -----------------------------------------------------------------------

    def _make(self, spec: AccountSpec, first_incarnation: int, hold: Hold | None) -> Account:
        account = Account(
            spec,
            silence=_silence(self.loaded.config),
            first_incarnation=first_incarnation,
            spawn=self._spawn,
            on_change=self._account_changed,
            hold=hold,
            past=self.history.shown(spec.key),
            on_event=self.history.add,
        )
        self._health_checks[account] = HealthCheck(account)
        return account

    def hasten(self, account: Account) -> None:
        """Let an account go ahead of all others, now or when it starts: a person waits for it."""
        account.hurry()
        self._gate.to_front(account.key)

    async def _spawn(self, account: Account, incarnation: int) -> Process:
        account.begin()
        await self._gate.enter(account.key, urgent=account.take_urgency())
        try:
            return await self._launch(account, incarnation)
        except BaseException:
            self._gate.leave(account.key)
            raise

    async def _launch(self, account: Account, incarnation: int) -> Process:
        spec = account.spec
        storage = self.places.state_dir / "accounts" / spec.key
        storage.mkdir(parents=True, exist_ok=True, mode=0o700)
        boot = WorkerBoot(
            key=spec.key,
            incarnation=incarnation,
            token=PeerProof(self._secret).token(spec.key, incarnation),
            control=self._endpoints.control,
            data=self._endpoints.data,
            manifest=spec.manifest_ref,
            config=spec.config,
            storage=str(storage),
            run_dir=str(self.places.run_dir),
            beat=self.loaded.config.supervisor.beat_seconds,
            stop_within=spec.restart.stop_within_seconds,
            revision=self.loaded.revision,
            niceness=spec.limits.niceness,
            open_files=spec.limits.open_files,
            processes=spec.limits.processes,
        )
        account.launching(boot.revision, boot.beat)
        process = await self._launcher.spawn(
            Spec(
                name=peer_name(spec.key, incarnation),
                target="workers.process.worker:main",
                payload=msgspec.msgpack.encode(boot),
                launcher=spec.launcher,
                limits=group_limits(spec.limits),
            )
        )
        try:
            capture = self.logs.capture(spec.key, incarnation, process)
        except BaseException:  # nobody would know of it: never two processes of one account
            process.kill()
            await process.wait()
            raise
        account.launched(ProcessLimits(process, spec.limits), lambda: capture.dropped)
        assert self._link is not None
        return DrainedProcess(process, self._link)

    # -- configuration ------------------------------------------------------------------

    async def _watch_file(self) -> None:
        front = self.front  # the start comes first, unless a change of the file is what it needs
        await front.until(
            lambda: front.connected or front.child.state.phase in (Phase.BACKOFF, Phase.FAILED),
            None,
        )
        await self.watch.run()

    def _quiet(self) -> float | None:
        """Return how long the file must be quiet, ``None`` when it does not matter."""
        reload = self.loaded.config.gateway.reload
        return None if reload.mode == "off" else reload.debounce_ms / 1000

    def _file_changed(self) -> None:
        self.read_again(asked=False)

    def read_again(
        self, *, asked: bool = True, refused: Callable[[str], None] = lambda text: None
    ) -> None:
        """Do as ``reread``, soon; what is wrong is in the log, in the status, and told."""

        async def work() -> None:
            try:
                await self.reread(asked=asked)
            except RemoteError as error:
                refused(error.message)

        if self._tasks is not None:
            self._tasks.create_task(run_optional("reading the configuration", work()))

    async def reread(self, *, asked: bool = True) -> dict[str, Any]:
        """Do as ``reload``, but read the file in a thread: a large one takes a second."""
        try:
            loaded = await self.remote.aside(self._setting.load)
        except (ConfigError, OSError) as error:
            raise self._refused(error) from None
        return self.reload(loaded, asked=asked)

    def reload(self, loaded: Loaded | None = None, *, asked: bool = True) -> dict[str, Any]:
        """Read the configuration again and touch only what changed.

        An invalid file is reported (``RemoteError``) and everything stays as it is. ``loaded``
        is the file where it has been read already. ``asked``: a person wants it, the file
        need not have changed.
        """
        if self.stopping:
            raise RemoteError(UNAVAILABLE, "the supervisor is stopping")
        try:
            loaded = loaded or self._setting.load()
        except (ConfigError, OSError) as error:
            raise self._refused(error) from None
        self.invalid = None
        if not asked and loaded.revision == self.loaded.revision:
            return {"revision": loaded.revision}
        self.notifier.reloading()
        old, self.loaded = self.loaded, loaded
        self.warnings = config_warnings(loaded)
        self._log_warnings()
        modules = zygote_modules(loaded)
        if modules != zygote_modules(old):  # before anything is started that needs them
            self.front.background(self._zygote_check.replace(modules))
        self._supervise_as(loaded.config)
        difference = self.roster.replace(loaded.accounts)
        if _watching(loaded.config) != _watching(old.config):  # which is every account's
            others = [key for key in loaded.accounts if key not in difference.added]
            difference = replace(difference, changed=others)
        self.roster.apply_limits(self._launcher.limit)
        for key in difference.changed:
            self._account_changed(self.accounts[key])
        self.reports.common()
        gateway = self.reconfiguration.apply(asked=asked, changed=loaded.revision != old.revision)
        done = {"revision": loaded.revision, "gateway": gateway, **asdict(difference)}
        log.info("configuration", **done)
        self.notifier.ready(summary(self))
        return {**done, "warnings": [*self.warnings, *self._waiting()]}

    def _waiting(self) -> list[str]:
        """Return the warnings for what of the configuration is not in force yet."""
        return [*self.reconfiguration.waiting(), *self.roster.pending_limits()]

    def _supervise_as(self, config: Config) -> None:
        """Take over thresholds and limits of our own; no process needs to know of them."""
        self._gate.limit = config.supervisor.start_concurrency
        self.logs.reconfigure(config.logging)
        for account in self.accounts.values():
            account.allow(_silence(config))

    # -- reports ------------------------------------------------------------------------

    def _refused(self, error: Exception) -> RemoteError:
        log.error("configuration not taken over", error=str(error))
        self.invalid = f"the configuration was not taken over: {error}"
        return RemoteError(INVALID_REQUEST, str(error))

    async def drain(self, account: Account, seconds: float) -> bool:
        """Have a running account finish what is in flight; say whether it did in time."""
        return self._link is not None and await self._link.drained(account, seconds)

    async def recheck(self, account: Account, seconds: float) -> Rechecked | None:
        """Have a running account look whether its secrets are others; ``None``: it did not say."""
        return None if self._link is None else await self._link.rechecked(account, seconds)

    async def dispatch(self, name: str, params: Any) -> Any:
        """Carry out a request of the gateway or of the local command line."""
        return await table.dispatch(self, name, params)

    def _account_changed(self, account: Account) -> None:
        phase = account.phase
        if phase in (Phase.STOPPED, Phase.BACKOFF, Phase.FAILED):
            self._gate.leave(account.key)
        elif phase is Phase.STOPPING:
            self._gate.withdraw(account.key)  # where it still waits for its turn
        self.crash_storm.changed(account)
        row = account.status()
        self.reports.changed(account.key, row)
        self.local.broadcast("channel.status", msgspec.to_builtins(row))

    def _row(self, key: str) -> AccountStatus | None:
        account = self.accounts.get(key)
        return None if account is None else account.status()

    def _account_met(self, account: Account) -> None:
        self._gate.leave(account.key)
        account.bind()  # the configuration may be another than at its start

    def _account_patched(self, account: Account) -> None:
        """Tell what a plugin says at once, and what it adds before the next look then.

        A plugin that talks without end must not keep the supervisor from its siblings.
        """
        if account.key in self._talked:
            self._patched.add(account.key)
        else:
            self._talked.add(account.key)
            self._account_changed(account)

    def _account_removed(self, key: str) -> None:
        if self._link is not None:
            self._link.forget(key)
        self.history.forget(key)
        self.reports.changed(key, None)
        self.local.broadcast("channel.removed", {"account": key})

    def _front_changed(self) -> None:
        state = self.front.child.state
        if state.phase is Phase.BACKOFF and state.failures > 1:
            self.crash_storm.doubt()
        self.reports.common()
        self.local.broadcast("gateway.status", msgspec.to_builtins(self.front.status()))

    def status(self) -> Status:
        """Return everything that ``trunkline status`` shows."""
        own = SupervisorStatus(
            pid=self.pid,
            version=self.version,
            boot=self._instance.boot,
            started_at=self._started_at,
            state_dir=str(self.places.state_dir),
            config_path=str(self.places.config_path),
            config_revision=self.loaded.revision,
            rss_bytes=vitals.rss_bytes(self.pid),
            cpu_percent=self._cpu_percent(),
            stale_events=self.stale,
            limits_by=self.limits_by,
            warnings=[
                *filter(None, [self.invalid, self.watch.failed]),
                *self.warnings,
                *self._waiting(),
                *self.holds.warnings,
                *self.history.warnings,
                *self.crash_storm.warnings(),
                *self._zygote_check.warnings,
            ],
        )
        rows = [account.status() for account in self.accounts.values()]
        return Status(supervisor=own, gateway=self.front.status(), accounts=rows)

    def _cpu_percent(self) -> float | None:
        """Return our own share of a core since the last look."""
        (then, before), self._cpu = self._cpu, (time.monotonic(), time.process_time())
        now, used = self._cpu
        if now <= then:
            return None
        return round(100 * (used - before) / (now - then), 1)

    @property
    def limits_by(self) -> str:
        """What holds the accounts to their limits."""
        return self._launcher.limits_by

    @property
    def swept(self) -> int:
        """How many processes that children had left behind were ended."""
        return self._launcher.swept

    @property
    def stale(self) -> int:
        """How much late news of ended processes was dropped."""
        children = sum(account.child.stale for account in self.accounts.values())
        return children + (self._link.stale if self._link is not None else 0)

    def _common(self) -> dict[str, Any]:
        """Return what a report says beside the accounts."""
        return {
            "gateway": self._gateway_row(),
            "channels": [msgspec.to_builtins(channel) for channel in self._channels()],
            "agents": self._agents(),
        }

    def _gateway_row(self) -> dict[str, Any]:
        """Return the gateway's row as its clients may see it."""
        row: dict[str, Any] = msgspec.to_builtins(self.front.status())
        if row["revision"]:
            row["revision"] = self.remote.seal(row["revision"])
        return row

    def _channels(self) -> list[ChannelInfo]:
        return channels(self.loaded.config, self.loaded.manifests)

    def _agents(self) -> dict[str, Any]:
        """Return who answers for which account."""
        named = {key: account.spec.agent for key, account in self.accounts.items()}
        return {"default": self.loaded.config.agents.default, "accounts": named}

    def _gateway_boot(self, incarnation: int, session_token: str) -> GatewayBoot:
        config = self.loaded.config
        return GatewayBoot(
            incarnation=incarnation,
            version=self.version,
            session_token=session_token,
            secret=self._secret,
            data=self._endpoints.data,
            gateway=msgspec.to_builtins(config.gateway),
            agents=self._agents(),
            channels=self._channels(),
            state_dir=str(self.places.state_dir),
            config_path=str(self.places.config_path),
            revision=self.remote.seal(self.loaded.revision),
        )


def _silence(config: Config) -> Silence:
    own = config.supervisor
    return Silence(own.suspect_after_seconds, own.silent_after_seconds)


def _watching(config: Config) -> tuple[float, ...]:
    """Return how closely every worker is watched."""
    own = config.supervisor
    return own.beat_seconds, own.suspect_after_seconds, own.silent_after_seconds
