"""The process of one account: loads the plugin, runs it, and ends with a cause.

The first thing that ends it wins: SIGTERM, the plugin's ``run`` (however it ends), an
exception in a callback of its loop, or a call that found the account dead. Then the cause is
said, the plugin is cancelled, what it emitted is waited for, and the process exits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from ipc.frames.bootstrap import WorkerBoot, worker_boot
from ipc.frames.control import Beat
from ipc.frames.words import EXIT_ERROR
from workers.errors import Misconfigured
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink
from workers.messages import Outbound, Sent
from workers.process import resources
from workers.process.calls import PluginCalls
from workers.process.context import AccountContext
from workers.process.endings import RETURNED, STOPPED, Ending, ending_of
from workers.process.loading import config_of, make_directory, manifest_of, plugin_class
from workers.process.logging import Redaction, log_to_stderr

Say = Callable[[str, str], None]

MARGIN = 0.5  # seconds before the supervisor's SIGKILL by which we want to be gone


async def main(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Run the account that ``payload`` (a ``WorkerBoot``) describes; return the exit code.

    ``say(cause, text)`` is called at most once, before the exit.
    """
    boot = worker_boot(payload)
    resources.apply_limits(boot)
    redact = Redaction()
    loop = asyncio.get_running_loop()
    with log_to_stderr(redact) as log:
        worker = Worker(boot, say, log, redact)
        loop.add_signal_handler(signal.SIGTERM, worker.stop)
        try:
            return await worker.run()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)


class Worker:
    """One account, from boot to ending. ``leave`` ends a process that a plugin will not let go."""

    def __init__(
        self,
        boot: WorkerBoot,
        say: Say,
        log: structlog.typing.FilteringBoundLogger,
        redact: Redaction,
        *,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._boot = boot
        self._say = say
        self._log = log
        self._redact = redact
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Ending] = self._loop.create_future()
        self._control = WorkerControlLink(boot, self._beat, self._begin_drain, self._begin_recheck)
        self._link = WorkerDataLink(boot, self._on_call, log)
        self._calls: PluginCalls | None = None
        self._group: asyncio.TaskGroup | None = None
        self._draining: asyncio.Task[None] | None = None
        self._rechecking: asyncio.Task[None] | None = None
        self._config: Any = None  # as the plugin got it, secrets resolved
        self._context: AccountContext | None = None
        self._messages_out = 0
        self._counted = (0, 0)  # messages in and out when the activity was last told

    def stop(self) -> None:
        """End because the supervisor asks (SIGTERM)."""
        self._end(STOPPED)

    async def run(self) -> int:
        """Live until something ends it; return the exit code."""
        before = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._stray)
        try:
            self._control.open()
            self._link.open()
            async with asyncio.TaskGroup() as group:
                self._calls = PluginCalls(
                    reply=self._link.answer,
                    sent=self._tell_sent,
                    fail=self._fail,
                    redact=self._redact,
                    log=self._log,
                )
                self._group = group
                beating = group.create_task(self._control.beating(self._tell_activity))
                life = group.create_task(self._live())
                ending = await self._ended
                self._tell(ending)
                await self._finish(life, ending)
                beating.cancel()
                for beside in (self._draining, self._rechecking):
                    if beside is not None:
                        beside.cancel()
        except BaseException:
            if self._calls is not None:
                await self._calls.cancel(None)
            raise
        finally:
            if self._calls is not None:
                await self._calls.finish()  # what ignores its cancellation may still be done
            self._control.close()
            self._link.close()
            self._loop.set_exception_handler(before)
        return ending.code

    async def _live(self) -> None:
        """Load the plugin and run it; report how that ended."""
        try:
            plugin = await self._load()
            await plugin.run()
            ending = RETURNED
        except asyncio.CancelledError:
            if self._ended.done():
                raise  # we asked for it
            ending = Ending(EXIT_ERROR, "failed", "the plugin cancelled its own run")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is how the account ends
            if self._ended.done():
                self._log.warning("the plugin did not stop cleanly", error=repr(error))
                return
            ending = ending_of(error)
            if ending.cause == "failed":
                self._log.error("the plugin failed", exc_info=error)
        self._end(ending)

    async def _load(self) -> Any:
        boot, calls = self._boot, self._calls
        assert calls is not None
        manifest = manifest_of(boot)
        config = self._config = await config_of(boot, manifest, self._redact)
        make_directory(Path(boot.storage))
        self._context = AccountContext(
            boot, config, self._log, self._link, self._control, self._redact
        )
        self._control.patch(manifest.status)
        plugin = plugin_class(manifest)(self._context)
        calls.begin(plugin)
        return plugin

    # -- the end

    def _end(self, ending: Ending) -> None:
        if not self._ended.done():
            self._ended.set_result(ending)

    def _fail(self, error: BaseException) -> None:
        self._end(ending_of(error))

    def _tell(self, ending: Ending) -> None:
        text = self._redact(ending.text)
        if ending.cause is None:
            self._log.info("stopping")
        else:
            self._log.warning("ending", cause=ending.cause, text=text, code=ending.code)
            self._say(ending.cause, text)

    async def _finish(self, life: asyncio.Task[None], ending: Ending) -> None:
        """Stop the plugin, then wait for acknowledgements; all within the supervisor's grace."""
        within = self._boot.stop_within
        deadline = self._loop.time() + max(within - MARGIN, within / 2)
        assert self._calls is not None
        self._calls.close()
        if not life.done():
            life.cancel()
            await asyncio.wait({life}, timeout=deadline - self._loop.time())
        await self._calls.cancel(deadline)
        if self._control.ready:  # the gateway takes nothing of an account that never was
            try:
                async with asyncio.timeout_at(deadline):
                    await self._link.settled()
            except TimeoutError:
                self._log.warning("ended without all acknowledged", count=len(self._link.backlog))
        self._control.beat()  # the last figures: what may be lost is exact
        if not life.done():
            self._log.error("the plugin ignores its cancellation")
            self._leave(ending.code)

    def _stray(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Judge an exception that nobody caught.

        In a callback it ends the account: a plugin whose callbacks fail is only half alive.
        A forgotten task or a transport's trouble is logged; the plugin hears of the latter
        by ``connection_lost``.
        """
        error = context.get("exception")
        self._log.error(context.get("message") or "error on the loop", exc_info=error)
        if error is not None and "handle" in context:
            self._fail(error)

    # -- draining

    def _begin_drain(self) -> None:
        if self._group is not None and self._draining is None:
            self._draining = self._group.create_task(self._drain())

    async def _drain(self) -> None:
        """Finish what is in flight, and say so; the plugin goes on until SIGTERM."""
        assert self._calls is not None
        await self._calls.finish()
        await self._link.reached(self._link.backlog.last)
        self._control.send_drained()

    # -- secrets

    def _begin_recheck(self) -> None:
        running = self._rechecking is not None and not self._rechecking.done()
        if self._group is not None and self._config is not None and not running:
            self._rechecking = self._group.create_task(self._recheck())

    async def _recheck(self) -> None:
        """Compare here, so that no secret leaves this process; the plugin keeps what it has."""
        try:
            fresh = await config_of(self._boot, manifest_of(self._boot), self._redact)
        except Misconfigured as error:
            self._control.send_rechecked(False, self._redact(str(error)))
        else:
            self._control.send_rechecked(fresh != self._config)

    # -- calls, figures

    def _on_call(self, call: Any, gateway: str) -> None:
        assert self._calls is not None
        self._calls.on_call(call, gateway)

    async def _tell_sent(self, message: Outbound, sent: Sent) -> None:
        assert self._context is not None
        self._messages_out += 1
        if self._link.crowded():
            await self._link.wait_for_room()
        seq = self._link.backlog.last + 1
        self._link.post(self._context.events.outbound(seq, message, sent), 0)

    def _beat(self, lag: float) -> Beat:
        backlog = self._link.backlog
        return Beat(
            lag=lag,
            rss_bytes=resources.rss_bytes(),
            cpu=resources.cpu_seconds(),
            fds=resources.open_files(),
            queued=len(backlog),
            queued_bytes=backlog.size_bytes,
            emitted=backlog.last,
            acked=backlog.acked,
            messages_in=self._context.messages_in if self._context else 0,
            messages_out=self._messages_out,
            dropped=dict(self._link.dropped),
        )

    def _tell_activity(self) -> None:
        """Before each beat: when the account was last active, and is the gateway still there?"""
        self._link.verify()
        now = int(time.time() * 1000)
        before_in, before_out = self._counted
        self._counted = (
            self._context.messages_in if self._context else 0,
            self._messages_out,
        )
        patch: dict[str, Any] = {}
        if self._counted[0] != before_in:
            patch["lastInboundAt"] = now
        if self._counted[1] != before_out:
            patch["lastOutboundAt"] = now
        if patch:
            self._control.patch({**patch, "lastEventAt": now})
