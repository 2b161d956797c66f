"""The supervisor: it owns who lives and dies, and what the operator wants.

It assembles the parts and decides nothing by itself: policy is in ``lifecycle``, processes
are in ``process``, requests in ``commands``. It carries no chat.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import psutil
import structlog

from ipc.bootstrap import ChannelInfo, GatewayBoot, WorkerBoot
from ipc.endpoints import Endpoints
from ipc.envelope import peer_name, worker_token
from ipc.errors import RemoteError
from ipc.pulse import Verdict
from ipc.report import AccountStatus, Status, SupervisorStatus
from runtime import commands
from runtime.account import Account, policy_of
from runtime.config.accounts import AccountSpec, channels
from runtime.config.errors import ConfigError
from runtime.config.load import Loaded
from runtime.config.places import Places
from runtime.front import Front
from runtime.holds import Holds
from runtime.instance import Instance
from runtime.lifecycle import Phase, Start, Stop
from runtime.lifecycle import Restart as RestartEvent
from runtime.link import ControlLink
from runtime.local import LocalServer
from runtime.logs import LogStore
from runtime.process import Launcher, Process, Spec
from runtime.startgate import StartGate

WATCH = 1.0  # seconds between looks at silent workers
FIGURES = 5.0  # seconds between reports of mere figures
MAX_BATCHES = 256  # reports waiting for a gateway that is slow to take them
STOP_ALL = 7.0  # DESIGN section 7: stop everything, at worst

log = structlog.get_logger("supervisor")


@dataclass(frozen=True, slots=True)
class Setting:
    """What the command line decided, beyond the configuration."""

    version: str
    host: str
    port: int
    load: Callable[[], Loaded]
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
        self.accounts: dict[str, Account] = {}
        self.warnings: list[str] = list(loaded.manifests.warnings)
        self._setting = setting
        self._instance = instance
        self._launcher = launcher
        self._secret = secrets.token_bytes(32)
        self._started_at = int(time.time() * 1000)
        self._endpoints = Endpoints(places.run_dir)
        self.holds = Holds(places.state_dir / "holds.json")
        self._gate = StartGate(loaded.config.supervisor.start_concurrency)
        self._batches: deque[dict[str, AccountStatus | None]] = deque()
        self._figures: set[str] = set()
        self._front_dirty = False
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._children: dict[str, asyncio.Task[None]] = {}
        self._self = psutil.Process()
        self.front = Front(
            setting.host,
            setting.port,
            version=setting.version,
            first_incarnation=instance.first_incarnation,
            launcher=launcher,
            logs=logs,
            boot=self._gateway_boot,
            reporter=self,
            answer=self.dispatch,
            on_change=self._front_changed,
        )
        self.local = LocalServer(self._endpoints.cli, self)

    # -- life ---------------------------------------------------------------------------

    async def run(self, on_up: Callable[[], None]) -> int:
        """Run until stopped; ``on_up`` is called when the gateway answers for the first time."""
        self._endpoints.prepare()
        self.front.open(force=self._setting.force)
        link = ControlLink(
            self._endpoints.control,
            self._secret,
            find=self.accounts.get,
            on_hello=lambda account: self._gate.leave(account.key),
            on_change=self._account_changed,
            on_figures=self._figures_changed,
        )
        try:
            await self.local.start()
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                helpers = [
                    tasks.create_task(self.front.run()),
                    tasks.create_task(self._watch(link)),
                    tasks.create_task(self._announce(on_up)),
                ]
                self.front.start()
                for spec in self.loaded.accounts.values():
                    self._add(spec)
                await self._stopping.wait()
                await self._wind_down()
                for task in [*helpers, *self._children.values()]:
                    task.cancel()
        finally:
            self._gate.close()
            await self.local.close()
            link.close()
            self.front.close_socket()
        return 0

    def request_stop(self, reason: str) -> None:
        """End everything; a second request ends it at once."""
        if self._stopping.is_set():
            log.warning("ending at once", reason=reason)
            self._hurry.set()
        else:
            log.info("stopping", reason=reason)
            self._stopping.set()

    async def _announce(self, on_up: Callable[[], None]) -> None:
        await self.front.until(lambda: self.front.connected, 3600.0)
        on_up()

    async def _wind_down(self) -> None:
        """Stop the accounts, whose last messages the gateway still takes, then the gateway."""
        self.local.broadcast("shutdown", {"reason": "supervisor stopping"})
        for account in self.accounts.values():
            account.child.post(Stop("shutdown"))
        down = [account.settled(_is_down, STOP_ALL) for account in self.accounts.values()]
        await self._unless_hurried(asyncio.gather(*down))
        self.front.close_socket()
        self.front.stop()
        child = self.front.child
        await self._unless_hurried(
            self.front.until(lambda: child.state.phase is Phase.STOPPED, STOP_ALL)
        )
        for one in [child, *(account.child for account in self.accounts.values())]:
            if one.process is not None and not _is_down(one.state):
                one.process.kill()

    async def _unless_hurried(self, work: Any) -> None:
        """Wait for ``work``, or until a second request to stop says: at once."""
        task = asyncio.ensure_future(work)
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait({task, hurry}, return_when=asyncio.FIRST_COMPLETED)
        for one in (task, hurry):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await one

    async def _watch(self, link: ControlLink) -> None:
        """Judge silent workers. Read what has come first: our own delay is not theirs."""
        loop = asyncio.get_running_loop()
        beat = self.loaded.config.supervisor.beat_seconds
        reported = loop.time()
        while True:
            await asyncio.sleep(min(WATCH, beat / 2))
            link.drain_now()
            now = loop.time()
            for account in self.accounts.values():
                if account.judge(now) is Verdict.ASK:
                    link.ask(account)
                    self._account_changed(account)
            if self._figures and now - reported >= FIGURES:
                reported = now
                self.front.changed()

    # -- accounts -----------------------------------------------------------------------

    def _add(self, spec: AccountSpec) -> None:
        account = Account(
            spec,
            suspect_after=self.loaded.config.supervisor.suspect_after_seconds,
            silent_after=self.loaded.config.supervisor.silent_after_seconds,
            first_incarnation=self._instance.first_incarnation,
            spawn=self._spawn,
            on_change=self._account_changed,
            hold=self.holds.get(spec.key),
        )
        self.accounts[spec.key] = account
        assert self._tasks is not None
        self._children[spec.key] = self._tasks.create_task(account.child.run())
        self._as_wanted(account)

    def _as_wanted(self, account: Account) -> None:
        """Start an account by itself, or say why not."""
        obstacle = self.obstacle(account)
        if obstacle is not None:
            account.child.post(Stop(obstacle[0]))
        elif account.hold is not None:
            account.child.post(Stop("held"))
        else:
            account.child.post(Start(automatic=True))

    def obstacle(self, account: Account) -> tuple[str, str] | None:
        """Return the cause, and a sentence, why an account may not run; ``None`` when it may."""
        spec = account.spec
        if self._stopping.is_set():
            return "shutdown", "the supervisor is stopping"
        if not spec.enabled:
            return "disabled", spec.reason or "disabled in the configuration"
        if not spec.configured:
            return "unconfigured", spec.reason or "not configured"
        return None

    def hold(self, account: Account, reason: str | None) -> bool:
        """Remember a manual stop; return whether it is on disk."""
        persisted = self.holds.hold(account.key, reason)
        account.hold = self.holds.get(account.key)
        return persisted

    def release(self, account: Account) -> bool:
        """Forget a manual stop; return whether that is on disk."""
        if account.hold is None:
            return True
        account.hold = None
        return self.holds.release(account.key)

    async def _spawn(self, account: Account, incarnation: int) -> Process:
        spec = account.spec
        await self._gate.enter(account.key, urgent=account.urgent)
        storage = self.places.state_dir / "accounts" / spec.key
        storage.mkdir(parents=True, exist_ok=True, mode=0o700)
        boot = WorkerBoot(
            key=spec.key,
            incarnation=incarnation,
            token=worker_token(self._secret, spec.key, incarnation),
            control=self._endpoints.control,
            data=self._endpoints.data,
            manifest=spec.manifest_ref,
            config=spec.config,
            storage=str(storage),
            run_dir=str(self.places.run_dir),
            beat=self.loaded.config.supervisor.beat_seconds,
            stop_within=spec.restart.stop_within_seconds,
            revision=self.loaded.revision,
        )
        try:
            process = await self._launcher.spawn(
                Spec(
                    name=peer_name(spec.key, incarnation),
                    target="workers.worker:main",
                    payload=msgspec.msgpack.encode(boot),
                    launcher=spec.launcher,
                )
            )
        except BaseException:
            self._gate.leave(account.key)
            raise
        capture = self.logs.capture(spec.key, incarnation, process)
        account.born(lambda: capture.dropped)
        return process

    # -- configuration ------------------------------------------------------------------

    def reload(self) -> dict[str, Any]:
        """Read the configuration again and touch only what changed.

        An invalid file is reported (``RemoteError``) and everything stays as it is.
        """
        try:
            loaded = self._setting.load()
        except ConfigError as error:
            log.error("configuration not taken over", error=str(error))
            raise RemoteError(commands.INVALID, str(error)) from None
        old, new = self.loaded.accounts, loaded.accounts
        self.loaded = loaded
        self.warnings = list(loaded.manifests.warnings)
        added = [key for key in new if key not in old]
        removed = [key for key in old if key not in new]
        changed = [k for k in new if k in old and new[k].fingerprint != old[k].fingerprint]
        for key in removed:
            self._remove(key)
        for key in new:
            if key in added:
                self._add(new[key])
            else:
                self._update(key, new[key], restart=key in changed)
        self._front_dirty = True
        self.front.changed()
        log.info("configuration", added=added, removed=removed, changed=changed)
        return {
            "revision": loaded.revision,
            "added": added,
            "removed": removed,
            "changed": changed,
            "warnings": self.warnings,
        }

    def _update(self, key: str, spec: AccountSpec, *, restart: bool) -> None:
        account = self.accounts[key]
        account.spec = spec
        account.child.policy = policy_of(spec)
        if not restart:
            return
        if account.phase is Phase.STOPPED or self.obstacle(account) is not None:
            self._as_wanted(account)
        else:
            account.child.post(RestartEvent())

    def _remove(self, key: str) -> None:
        """Stop an account for good; it disappears when its process is gone."""
        assert self._tasks is not None
        account = self.accounts[key]
        account.child.post(Stop("removed"))
        self._tasks.create_task(self._forget(account))

    async def _forget(self, account: Account) -> None:
        await account.settled(_is_down, STOP_ALL)
        if self.accounts.get(account.key) is account and account.key not in self.loaded.accounts:
            self.accounts.pop(account.key)
            self._children.pop(account.key).cancel()
            self._enqueue(account.key, None)
            self.local.broadcast("channel.removed", {"account": account.key})

    # -- reports ------------------------------------------------------------------------

    async def dispatch(self, name: str, params: Any) -> Any:
        """Carry out a request of the gateway or of the local command line."""
        return await commands.dispatch(self, name, params)

    def _account_changed(self, account: Account) -> None:
        state = account.child.state
        if state.phase in (Phase.STOPPED, Phase.BACKOFF, Phase.FAILED):
            self._gate.leave(account.key)
        row = account.status()
        self._enqueue(account.key, row)
        self.local.broadcast("channel.status", msgspec.to_builtins(row))

    def _enqueue(self, key: str, row: AccountStatus | None) -> None:
        """Queue a row for the gateway. Two changes of one account never share a report, so
        that clients see every phase, in order; only a gateway far behind gets them folded.
        """
        batches = self._batches
        if not batches or (key in batches[-1] and len(batches) < MAX_BATCHES):
            batches.append({})
        batches[-1][key] = row
        self.front.changed()

    def _figures_changed(self, account: Account) -> None:
        self._figures.add(account.key)

    def _front_changed(self) -> None:
        self._front_dirty = True
        self.local.broadcast("gateway.status", msgspec.to_builtins(self.front.status()))

    def whole(self) -> dict[str, Any]:
        """Return a complete ``channels.report``."""
        self._batches.clear()
        self._figures.clear()
        self._front_dirty = False
        return {
            "revision": self.loaded.revision,
            "whole": True,
            "accounts": {key: _plain(account.status()) for key, account in self.accounts.items()},
            "channels": [msgspec.to_builtins(channel) for channel in self._channels()],
            "agents": self._agents(),
            "gateway": msgspec.to_builtins(self.front.status()),
        }

    def changes(self) -> dict[str, Any] | None:
        """Return a ``channels.report`` of what changed; figures alone go in their own part."""
        if not (self._batches or self._figures or self._front_dirty):
            return None
        rows = self._batches.popleft() if self._batches else {}
        report: dict[str, Any] = {"revision": self.loaded.revision, "whole": False}
        report["accounts"] = {key: _plain(row) for key, row in rows.items() if row}
        report["removed"] = [key for key, row in rows.items() if row is None]
        report["figures"] = {
            key: _plain(self.accounts[key].status())
            for key in self._figures
            if key in self.accounts and key not in rows
        }
        if self._front_dirty:
            report["gateway"] = msgspec.to_builtins(self.front.status())
            report["channels"] = [msgspec.to_builtins(channel) for channel in self._channels()]
            report["agents"] = self._agents()
        self._figures.clear()
        self._front_dirty = False
        if self._batches:
            self.front.changed()
        return report

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
            rss_bytes=self._self.memory_info().rss,
            cpu_percent=self._self.cpu_percent(),
            warnings=self.warnings + self.holds.warnings,
        )
        rows = [account.status() for account in self.accounts.values()]
        return Status(supervisor=own, gateway=self.front.status(), accounts=rows)

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
            revision=self.loaded.revision,
        )


def _plain(row: AccountStatus) -> Any:
    return msgspec.to_builtins(row)


def _is_down(state: Any) -> bool:
    return state.phase in (Phase.STOPPED, Phase.FAILED)
