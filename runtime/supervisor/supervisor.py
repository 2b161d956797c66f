"""Runs the parts of the supervisor, watches them, and ends them in order.

It makes no decisions: policy is in ``lifecycle``, processes in ``processes``, operators' requests
in ``api``, changes of the configuration in ``reload``. It carries no chat messages. ``assembly``
connects the parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from ipc.frames.words import Phase
from ipc.websocket.probe import challenges
from runtime.config.errors import ConfigError
from runtime.config.gateway_rules import beside_foreign_problems
from runtime.config.load import Loaded
from runtime.config.places import Places
from runtime.supervisor.accounts.roster import is_down
from runtime.supervisor.assembly import Setting, SupervisorAssembly
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher

WATCH = 1.0  # seconds between checks of silent workers
FIGURES = 5.0  # seconds between reports of mere figures
STOP_ACCOUNTS = 6.0  # everything is stopped after 7 s, at worst
STOP_ALL = 7.0

log = structlog.get_logger("supervisor")


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
        assembly = SupervisorAssembly(
            loaded, places, setting, instance=instance, launcher=launcher, logs=logs
        )
        self.parts, self.local = assembly.parts, assembly.local
        self._force = setting.force

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
            await gateway.open(force=self._force)
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
