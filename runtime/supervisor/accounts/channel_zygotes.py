"""Keeps a zygote for each channel with a third-party plugin, and forks its accounts from it.

A zygote is started with the first account of its channel, and replaced when an imported file has
changed. Only the accounts of that channel wait for it, before they take a place in the start queue.
If the import fails, hangs, takes too much memory or makes forks unusable, each account of the
channel imports the plugin itself, and the zygote is tried again from time to time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

from ipc.metrics import PREFIX, Series
from runtime.supervisor.accounts.channel_zygote import ChannelZygote, ImportFailed
from runtime.supervisor.accounts.start_queue import Withdrawn
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.preloading import (
    ChannelPlan,
    ImportReport,
    PreloadPlan,
    imported_alone,
    imported_in,
    importing_for,
    is_worth_keeping,
    obstacle,
    retry_after,
)
from runtime.supervisor.processes.process import SpawnedProcess, SpawnError, SpawnShortage, Spec

BESIDE = "zygote-"  # before a channel's id: the name of the log, which no account can have

log = structlog.get_logger("zygote")

StartTask = Callable[[str, Coroutine[Any, Any, object]], None]


class _PreloadedChannel:
    """One channel: its zygote, if there is one, and the outcome of its imports."""

    def __init__(
        self, name: str, plan: ChannelPlan, launcher: Launcher, logs: LogStore, start: StartTask
    ) -> None:
        self.plan = plan
        self.report: ImportReport | None = None  # of the last import that was finished
        self.failures = 0  # in a row
        self._name = name
        self._launcher = launcher
        self._logs = logs
        self._start = start
        self._zygote: ChannelZygote | None = None
        self._ending: set[ChannelZygote] = set()
        self._number = 0
        self._why: str | None = None  # its accounts import alone
        self._seen_after = 0.0  # seconds
        self._again_at = 0.0  # on the loop's clock
        self._importing: asyncio.Future[None] | None = None
        self._began = 0.0
        self._left = False

    async def prepare(self) -> None:
        """Wait until the zygote has imported the present files, or its import has failed.

        After a failed import accounts do not wait for the next attempt.
        """
        while True:
            if self._importing is not None:
                if self._why is None:
                    await asyncio.wait({self._importing})
                return
            zygote = self._zygote
            if self._why is not None:
                if _now() < self._again_at:
                    return
                self._begin()
            elif zygote is None:
                self._begin()
            elif await zygote.is_fresh():
                return
            elif zygote is self._zygote and self._importing is None:
                log.info("the zygote of a channel is replaced", channel=self._name)
                self._begin()

    def _begin(self) -> None:
        """Start a new zygote in the background; end the present one."""
        self._importing = done = asyncio.get_running_loop().create_future()
        self._began = _now()

        async def work() -> None:
            try:
                await self._import()
            finally:
                self._importing = None
                if not done.done():
                    done.set_result(None)

        self._start(f"importing for channel {self._name}", work())

    async def _import(self) -> None:
        await self.end()
        self._number += 1
        name = BESIDE + self._name
        try:
            self._zygote = zygote = await ChannelZygote.start(
                self._launcher, self._logs, name, self._number, self.plan
            )
            if self._left:
                raise ImportFailed("the channel is not configured any more")
            self.report = report = await zygote.imported(self.plan.memory)
        except (ImportFailed, SpawnError, OSError) as error:
            await self._fail(str(error))
        else:
            if why := obstacle(report):
                await self._fail(why)
                return
            self._why, self.failures = None, 0
            log.info("imported for a channel", channel=self._name, seconds=round(report.seconds, 3))

    async def _fail(self, why: str) -> None:
        """Record why the import failed, and schedule another try; accounts import it themselves."""
        self.failures += 1
        self._why, self._seen_after = why, _now() - self._began
        self._again_at = _now() + retry_after(self.failures)
        await self.end()
        log.warning("not imported for a channel", channel=self._name, why=why)

    async def spawn(self, spec: Spec) -> SpawnedProcess | None:
        """Fork a process from the zygote; return ``None`` without a zygote.

        Raises ``SpawnShortage``.
        """
        zygote = self._zygote
        if zygote is None or self._why is not None or self._importing is not None:
            return None
        try:
            process = await self._launcher.spawn(spec, by=zygote)
        except SpawnShortage:
            raise
        except SpawnError as error:  # it was killed, say: the next start makes another one
            log.warning("the zygote of a channel is gone", channel=self._name, why=str(error))
            if zygote is self._zygote:
                await self.end()
            return None
        seconds = self.report.seconds if self.report else 0.0
        if zygote is self._zygote and not is_worth_keeping(len(self.plan.keys), seconds):
            self._start(f"ending the zygote of {self._name}", self.end())
        return process

    def forget(self, names: Iterable[str]) -> None:
        """Ask the zygote to remove variables from its environment."""
        if self._zygote is not None:
            self._zygote.forget(names)

    async def end(self) -> None:
        """End the zygote; processes forked from it keep running.

        Also waits for earlier zygotes whose ending task was cancelled.
        """
        if self._zygote is not None:
            self._ending.add(self._zygote)
            self._zygote = None
        for each in list(self._ending):
            await each.end()
            self._ending.discard(each)

    async def close(self) -> None:
        """End the zygote for good, even while it is being started."""
        self._left = True
        await self.end()

    @property
    def sentence(self) -> str | None:
        """A sentence for operators about the imports; ``None`` if there is nothing to say."""
        plugin = self.plan.plugin
        if self._why is not None:
            return imported_alone(plugin, self._why, self._seen_after)
        if self._importing is not None:
            return importing_for(plugin, _now() - self._began)
        return imported_in(plugin, self.report) if self.report else None

    @property
    def is_up(self) -> bool:
        """Whether its accounts are forked from a zygote of their channel."""
        return self._zygote is not None and not self._zygote.dead and self._importing is None


class ChannelZygotes:
    """The zygotes of all channels. ``start(name, coroutine)`` runs a task of the supervisor."""

    def __init__(
        self, plan: PreloadPlan, launcher: Launcher, logs: LogStore, start: StartTask
    ) -> None:
        self._launcher = launcher
        self._logs = logs
        self._start = start
        self._channels: dict[str, _PreloadedChannel] = {}
        self._leaving: set[_PreloadedChannel] = set()  # configured no more
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.apply(plan)

    def apply(self, plan: PreloadPlan) -> None:
        """Adopt a new plan: end zygotes that it lacks; those it adds are started when needed."""
        for name, channel in list(self._channels.items()):
            wanted = plan.channels.get(name)
            if wanted is None or wanted.modules != channel.plan.modules:
                del self._channels[name]
                self._leaving.add(channel)
                self._start(f"ending the zygote of {name}", self._close_channel(channel))
            else:
                channel.plan = wanted
        for name, wanted in plan.channels.items():
            if name not in self._channels:
                self._channels[name] = _PreloadedChannel(
                    name, wanted, self._launcher, self._logs, self._start
                )

    async def _close_channel(self, channel: _PreloadedChannel) -> None:
        await channel.close()
        self._leaving.discard(channel)

    async def prepare(self, key: str) -> None:
        """Wait until the zygote of an account's channel has imported the plugin, if there is one.

        Raises ``Withdrawn`` when the account is stopped meanwhile.
        """
        channel = self._channel_of(key)
        if channel is None:
            return
        withdrawn = asyncio.get_running_loop().create_future()
        preparing = asyncio.ensure_future(channel.prepare())
        self._waiting[key] = withdrawn
        try:
            await asyncio.wait({preparing, withdrawn}, return_when=asyncio.FIRST_COMPLETED)
            if withdrawn.done():
                raise Withdrawn
            await preparing
        finally:
            preparing.cancel()
            self._waiting.pop(key, None)

    def withdraw(self, key: str) -> None:
        """End the wait of a stopped account: its ``prepare`` raises ``Withdrawn``."""
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def spawn(self, key: str, spec: Spec) -> SpawnedProcess:
        """Start the process of an account, from its channel's zygote if there is one.

        Raises ``SpawnError``.
        """
        channel = self._channel_of(key)
        process = None if channel is None else await channel.spawn(spec)
        return await self._launcher.spawn(spec) if process is None else process

    def forget(self, names: Iterable[str]) -> None:
        """Ask every zygote to remove variables from its environment."""
        for channel in self._channels.values():
            channel.forget(names)

    async def close(self) -> None:
        """End all zygotes."""
        for channel in [*self._channels.values(), *self._leaving]:
            await channel.end()

    def about(self, key: str) -> str | None:
        """Return a sentence for operators about the imports of an account, if there is one."""
        channel = self._channel_of(key)
        return None if channel is None else channel.sentence

    @property
    def warnings(self) -> list[str]:
        """Warnings for channels whose import is slow, large or fails, one sentence each."""
        return [each.sentence for each in self._channels.values() if each.sentence]

    def series(self) -> list[Series]:
        """Return the figures of the imports, by channel."""
        known = self._channels.items()
        seconds = [({"channel": name}, each.report.seconds) for name, each in known if each.report]
        up = [({"channel": name}, float(each.is_up)) for name, each in known]
        return [
            Series(
                f"{PREFIX}channel_import_seconds",
                "gauge",
                "Seconds that the last shared import of the channel's plugin took.",
                seconds,
            ),
            Series(
                f"{PREFIX}channel_zygote_up",
                "gauge",
                "1 while the channel has a zygote.",
                up,
            ),
        ]

    def _channel_of(self, key: str) -> _PreloadedChannel | None:
        return next((each for each in self._channels.values() if key in each.plan.keys), None)


def _now() -> float:
    return asyncio.get_running_loop().time()
