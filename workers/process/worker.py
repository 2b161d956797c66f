"""Run the process of one account: load the plugin, run it, and end with a cause.

The first event that ends it decides: SIGTERM, the end of the plugin's ``run``, an exception in
a callback of the loop, or a call that finds the account unusable. Then the cause is reported,
the plugin is cancelled, its messages are acknowledged, and the process exits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from ipc import timeouts
from ipc.frames.bootstrap import WorkerBoot, worker_boot
from ipc.frames.control import Beat, LoginAnswer, LoginTaken
from ipc.frames.words import EXIT_ERROR
from ipc.lifelong import lifelong
from workers.errors import Misconfigured, Transient
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink
from workers.messages import Outbound, Sent
from workers.process import resources
from workers.process.calls import PluginCalls
from workers.process.context import AccountContext
from workers.process.endings import RETURNED, STOPPED, Ending, ending_of
from workers.process.explanations import Explain, explaining, guarded, unexplained
from workers.process.loading import config_of, make_directory, manifest_of, plugin_class
from workers.process.logging import Redaction, log_to_stderr
from workers.process.login import GONE
from workers.process.sending import PartSender

Report = Callable[[str, str, bool, float | None], None]  # as ``runtime.zygote.child.Say``

WAIT_TOLD = 1.0  # seconds; a gateway that is there answers sooner
WAITS_FOR_GATEWAY = "it waits for the gateway, which keeps its cursor"
MARGIN = 0.5  # seconds between the end of the process and the supervisor's SIGKILL


async def main(payload: bytes, fds: dict[str, int], report: Report) -> int:
    """Run the account that ``payload`` (a ``WorkerBoot``) describes; return the exit code.

    ``report(cause, text, final, retry_after)`` is called at most once, before the exit.
    """
    boot = worker_boot(payload)
    resources.apply_limits(boot)
    redact = Redaction()
    loop = asyncio.get_running_loop()
    with log_to_stderr(redact) as log:
        sealed = False
        if boot.confine is not None:
            from workers.process import confinement  # late: most accounts are not

            try:
                boot, sealed = await confinement.confine(boot)
            except Exception as error:  # noqa: BLE001 - whatever it is, it does not run unconfined
                ending = ending_of(error)
                text = redact(ending.text)
                log.error("not confined", text=text)
                report(ending.cause or "failed", text, ending.final, None)
                return ending.code
        worker = Worker(boot, report, log, redact, sealed=sealed)
        loop.add_signal_handler(signal.SIGTERM, worker.stop)
        try:
            return await worker.run()
        finally:
            loop.remove_signal_handler(signal.SIGTERM)


class Worker:
    """One account, from boot to ending. ``leave`` ends a process whose plugin does not stop.

    ``sealed``: its secrets lie where it can read them no more.
    """

    def __init__(
        self,
        boot: WorkerBoot,
        report: Report,
        log: structlog.typing.FilteringBoundLogger,
        redact: Redaction,
        *,
        leave: Callable[[int], object] = os._exit,
        sealed: bool = False,
    ) -> None:
        self._boot = boot
        self._sealed = sealed
        self._report = report
        self._log = log
        self._redact = redact
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Ending] = self._loop.create_future()
        self._link = WorkerDataLink(boot, self._on_call, log)
        self._control = WorkerControlLink(
            boot,
            self._beat,
            self._begin_drain,
            self._begin_recheck,
            self._link.gateway_reported,
            resources.pss_bytes,
            self._on_login,
        )
        self._calls: PluginCalls | None = None
        self._group: asyncio.TaskGroup | None = None
        self._draining: asyncio.Task[None] | None = None
        self._rechecking: asyncio.Task[None] | None = None
        self._explain: Explain = unexplained
        self._config: Any = None  # as the plugin got it, secrets resolved
        self._context: AccountContext | None = None
        self._messages_out = 0
        self._counted = (0, 0)  # messages in and out at the last report of activity

    def stop(self) -> None:
        """End on the supervisor's request (SIGTERM)."""
        self._end(STOPPED)

    async def run(self) -> int:
        """Run the account until something ends it; return the exit code."""
        before = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._handle_uncaught)
        try:
            self._control.open()
            self._link.open()
            async with asyncio.TaskGroup() as group:
                self._calls = PluginCalls(
                    reply=self._link.answer,
                    sent=self._report_sent,
                    fail=self._fail,
                    answer_http=self._link.send_answer,
                    redact=self._redact,
                    log=self._log,
                    explain=lambda error: self._explain(error),
                    progress=self._link.report_progress,
                )
                self._group = group
                beats = self._control.beating(self._report_activity)
                beating = group.create_task(lifelong("sending beats", beats, self._on_helper_end))
                life = group.create_task(self._run_plugin())
                ending = await self._ended
                self._report_ending(ending)
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
                await self._calls.finish()  # a call that ignored its cancellation may still end
            if self._context is not None:
                await self._context.close()
            self._control.close()
            self._link.close()
            self._loop.set_exception_handler(before)
        return ending.code

    async def _run_plugin(self) -> None:
        """Load the plugin and run it; end the account as that ends."""
        try:
            plugin = await self._load()
            await plugin.run()
            ending = RETURNED
        except asyncio.CancelledError:
            if self._ended.done():
                raise  # the worker has cancelled it
            ending = Ending(EXIT_ERROR, "failed", "the plugin cancelled its own run")
        except BaseException as error:  # noqa: BLE001 - any exception ends the account
            if self._ended.done():
                self._log.warning("the plugin did not stop cleanly", error=repr(error))
                return
            ending = ending_of(error, self._explain)
            if ending.cause == "failed":
                self._log.error("the plugin failed", exc_info=error)
        self._end(ending)

    async def _load(self) -> Any:
        boot, calls = self._boot, self._calls
        assert calls is not None
        manifest = manifest_of(boot)
        config = self._config = await config_of(boot, manifest, self._redact)
        make_directory(Path(boot.storage))
        if manifest.cursor:
            await self._recall_cursor()
        context = self._context = AccountContext(
            boot,
            config,
            self._log,
            self._link,
            self._control,
            self._redact,
            manifest,
        )
        self._control.patch(manifest.status)
        made = plugin_class(manifest)
        if (explain := getattr(made, "explain", None)) is not None:
            self._explain = guarded(explain, self._log)
        plugin = made(self._context)
        group = getattr(plugin, "is_group", None)
        send = plugin.send if explain is None else explaining(plugin.send, self._explain)
        sender = PartSender(send, manifest.text, manifest.pace, is_group=group)
        files = partial(context.ready_files, manifest)
        bodies = Path(boot.media.directory) if boot.media is not None else None
        calls.begin(
            plugin,
            sender.send,
            manifest.can,
            files,
            sender.deliver,
            sender.rendered_edit,
            manifest.typing,
            bodies,
        )
        return plugin

    async def _recall_cursor(self) -> None:
        """Wait for the gateway, which keeps the cursor; report it when that takes a while."""
        told = self._loop.call_later(WAIT_TOLD, self._control.send_waits, WAITS_FOR_GATEWAY)
        try:
            await self._link.recall()
        finally:
            told.cancel()
        if told.when() <= self._loop.time():
            self._control.send_waits("")

    def _on_helper_end(self, why: str, error: BaseException | None) -> None:
        """End the account: a worker that is only half alive would be taken for a sound one."""
        self._log.error("a helper task has ended", why=why, exc_info=error)
        self._end(Ending(EXIT_ERROR, "failed", why))

    def _end(self, ending: Ending) -> None:
        if not self._ended.done():
            self._ended.set_result(ending)

    def _fail(self, error: BaseException) -> None:
        self._end(ending_of(error, self._explain))

    def _report_ending(self, ending: Ending) -> None:
        text = self._redact(ending.text)
        if ending.cause is None:
            self._log.info("stopping")
        else:
            self._log.warning("ending", cause=ending.cause, text=text, code=ending.code)
            self._report(ending.cause, text, ending.final, ending.retry_after)
        revoked = ending.cause == "needs_login" and ending.final
        if (ending.cause == "logged_out" or revoked) and self._context is not None:
            try:  # kept, they would be tried by the next login too, which then asks no person
                self._context.forget_credentials()
            except OSError as error:
                self._log.error("the credentials were not removed", error=str(error))

    async def _finish(self, life: asyncio.Task[None], ending: Ending) -> None:
        """Stop the plugin and wait for acknowledgements, within the supervisor's grace."""
        within = self._boot.stop_within
        deadline = self._loop.time() + max(within - MARGIN, within / 2)
        assert self._calls is not None
        self._calls.close()
        if not life.done():
            life.cancel()
            await asyncio.wait({life}, timeout=deadline - self._loop.time())
        await self._calls.cancel(deadline)
        if self._control.ready:  # the gateway accepts nothing of an account that never was
            with contextlib.suppress(TimeoutError):
                async with timeouts.timeout_at(deadline):
                    await self._link.settled()
            if self._link.backlog:
                self._log.warning("ended without all acknowledged", count=len(self._link.backlog))
        try:
            self._control.beat()  # the last figures: how many may be lost is exact
        except Exception as error:  # noqa: BLE001 - it may be why the account ends
            self._log.warning("the last figures were not sent", error=repr(error))
        if not life.done():
            self._log.error("the plugin ignores its cancellation")
            self._leave(ending.code)

    def _handle_uncaught(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an exception that no code caught.

        In a callback it ends the account: a plugin whose callbacks fail is only half alive.
        That of a forgotten task or of a transport is logged; the plugin learns of the latter
        through ``connection_lost``.
        """
        error, text = context.get("exception"), context.get("message") or "error on the loop"
        ending = None if error is None else ending_of(error, self._explain)
        if ending is None or ending.cause == "failed":
            self._log.error(text, exc_info=error)
        else:
            self._log.warning(text, error=ending.text)
        if ending is not None and "handle" in context:
            self._end(ending)

    def _check_confinement(self) -> None:
        """End the account when the confinement keeps it from what it needs."""
        from workers.process import confinement

        try:
            confinement.check_readable()
        except Transient as error:
            self._fail(error)

    def _begin_drain(self) -> None:
        """Begin to drain; what is drained already is reported anew, as the report may be lost."""
        running = self._draining is not None and not self._draining.done()
        if self._group is not None and not running:
            self._draining = self._group.create_task(self._drain())

    async def _drain(self) -> None:
        """Finish what is in flight and report it; the plugin goes on until SIGTERM."""
        assert self._calls is not None
        await self._calls.finish()
        await self._link.reached(self._link.backlog.last)
        self._control.send_drained()

    def _begin_recheck(self) -> None:
        running = self._rechecking is not None and not self._rechecking.done()
        if self._group is not None and self._config is not None and not running:
            self._rechecking = self._group.create_task(self._recheck())

    async def _recheck(self) -> None:
        """Report whether the secrets have changed; they are compared here and do not leave."""
        if self._sealed:  # it must begin anew to find out
            self._control.send_rechecked(True)
            return
        try:
            fresh = await config_of(self._boot, manifest_of(self._boot), self._redact)
        except Misconfigured as error:
            self._control.send_rechecked(False, self._redact(str(error)))
        else:
            self._control.send_rechecked(fresh != self._config)

    def _on_call(self, call: Any, gateway: str) -> None:
        assert self._calls is not None
        self._calls.on_call(call, gateway)

    def _on_login(self, answer: LoginAnswer) -> LoginTaken:
        if self._context is None:  # a prompt of this process is yet to come
            return LoginTaken(answer.id, GONE)
        return self._context.logins.answered(answer)

    async def _report_sent(self, message: Outbound, sent: Sent) -> None:
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
            media_bytes=self._context.media_bytes if self._context else 0,
            media_refusal=self._context.media_refusal if self._context else "",
        )

    def _report_activity(self) -> None:
        """Report the last activity and check the gateway; called before each beat."""
        self._link.verify()
        if self._boot.confine is not None:
            self._check_confinement()
        if self._context is not None:
            self._context.tend_media()
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
