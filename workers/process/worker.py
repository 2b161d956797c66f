"""Runs the process of one account or agent: loads it, runs it, and ends with a cause.

The first event that ends it decides: SIGTERM, the end of the plugin's ``run``, an exception in
a callback of the loop, or a call that finds the account unusable. Then the cause is reported,
the plugin is cancelled, its messages are acknowledged, and the process exits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from ipc import timeouts
from ipc.frames.bootstrap import WorkerBoot, worker_boot
from ipc.frames.control import Beat, LoginAnswer, LoginTaken
from ipc.frames.words import EXIT_ERROR, is_agent
from ipc.lifelong import lifelong
from workers.errors import Misconfigured, Transient
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink
from workers.process import resources
from workers.process.account import HostedAccount
from workers.process.endings import RETURNED, STOPPED, Ending, ending_of
from workers.process.explanations import Explain
from workers.process.logging import Redaction, log_to_stderr
from workers.process.process_context import ProcessContext

Report = Callable[[str, str, bool, float | None], None]  # as ``runtime.zygote.child.Say``

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


class Hosted(Protocol):
    """The interface of what a worker runs: an account or an agent.

    ``context`` is set once it is loaded, ``config`` has its secrets resolved; ``messages_in`` and
    ``messages_out`` are reported in beats.
    """

    explain: Explain
    config: Any

    @property
    def link(self) -> WorkerDataLink:
        """The link to the gateway."""

    @property
    def context(self) -> ProcessContext | None:
        """The context that the plugin or agent got."""

    @property
    def messages_in(self) -> int:
        """The number of incoming messages or turns."""

    @property
    def messages_out(self) -> int:
        """The number of outgoing messages or answers."""

    async def run(self) -> None:
        """Load and run the plugin or agent."""

    async def fresh_config(self) -> Any:
        """Return the configuration with its secrets read again; raises ``Misconfigured``."""

    def close(self) -> None:
        """Accept no new work from now on; running work continues."""

    async def cancel(self, deadline: float | None) -> bool:
        """Cancel running work, waiting until ``deadline`` at most; return whether it stopped."""

    async def finish(self) -> None:
        """Accept no new work, and wait for running work that can still have an outcome."""

    async def drain(self) -> None:
        """Finish what is in flight."""

    async def wait_settled(self) -> None:
        """Wait until everything sent to the gateway has arrived there."""

    def on_login_answer(self, answer: LoginAnswer) -> LoginTaken:
        """Handle a person's answer to a login prompt; return whether it was accepted."""

    def forget_credentials(self) -> None:
        """Remove the saved credentials of a login; raises ``OSError``."""

    def activity(self) -> dict[str, Any]:
        """Return the changed fields of the status row."""


class Worker:
    """Runs an account or agent from boot to end. ``leave`` exits a process that does not stop.

    ``sealed``: it can no longer read its secrets.
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
        self._control = WorkerControlLink(
            boot,
            self._beat,
            self._begin_drain,
            self._begin_recheck,
            lambda up: self._link.on_gateway_report(up),
            resources.pss_bytes,
            lambda answer: self._hosted.on_login_answer(answer),
        )
        self._hosted = hosted_of(boot, self._control, log, redact, self._fail)
        self._link = self._hosted.link
        self._group: asyncio.TaskGroup | None = None
        self._draining: asyncio.Task[None] | None = None
        self._rechecking: asyncio.Task[None] | None = None

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
                self._group = group
                beats = self._control.send_beats(self._report_activity)
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
            await self._hosted.cancel(None)
            raise
        finally:
            await self._hosted.finish()  # a call that ignored its cancellation may still end
            if self._hosted.context is not None:
                await self._hosted.context.close()
            self._control.close()
            self._link.close()
            self._loop.set_exception_handler(before)
        return ending.code

    async def _run_plugin(self) -> None:
        """Load and run the plugin; end the account when that ends."""
        try:
            await self._hosted.run()
            ending = RETURNED
        except asyncio.CancelledError:
            if self._ended.done():
                raise  # the worker has cancelled it
            ending = Ending(EXIT_ERROR, "failed", "the plugin cancelled its own run")
        except BaseException as error:  # noqa: BLE001 - any exception ends the account
            if self._ended.done():
                self._log.warning("the plugin did not stop cleanly", error=repr(error))
                return
            ending = ending_of(error, self._hosted.explain)
            if ending.cause == "failed":
                self._log.error("the plugin failed", exc_info=error)
        self._end(ending)

    def _on_helper_end(self, why: str, error: BaseException | None) -> None:
        """End the account, because a worker without a helper task would only seem to work."""
        self._log.error("a helper task has ended", why=why, exc_info=error)
        self._end(Ending(EXIT_ERROR, "failed", why))

    def _end(self, ending: Ending) -> None:
        if not self._ended.done():
            self._ended.set_result(ending)

    def _fail(self, error: BaseException) -> None:
        self._end(ending_of(error, self._hosted.explain))

    def _report_ending(self, ending: Ending) -> None:
        text = self._redact(ending.text)
        if ending.cause is None:
            self._log.info("stopping")
        else:
            self._log.warning("ending", cause=ending.cause, text=text, code=ending.code)
            self._report(ending.cause, text, ending.final, ending.retry_after)
        revoked = ending.cause == "needs_login" and ending.final
        if ending.cause == "logged_out" or revoked:
            try:  # kept, they would be tried by the next login too, which then asks no person
                self._hosted.forget_credentials()
            except OSError as error:
                self._log.error("the credentials were not removed", error=str(error))

    async def _finish(self, life: asyncio.Task[None], ending: Ending) -> None:
        """Stop the plugin and wait for acknowledgements, within the supervisor's grace."""
        within = self._boot.stop_within
        deadline = self._loop.time() + max(within - MARGIN, within / 2)
        self._hosted.close()
        if not life.done():
            life.cancel()
            await asyncio.wait({life}, timeout=deadline - self._loop.time())
        stopped = await self._hosted.cancel(deadline)
        if self._control.ready:  # the gateway accepts nothing of an account that never was
            with contextlib.suppress(TimeoutError):
                async with timeouts.timeout_at(deadline):
                    await self._hosted.wait_settled()
            if self._link.backlog:
                self._log.warning("ended without all acknowledged", count=len(self._link.backlog))
        try:
            self._control.beat()  # the last figures: how many may be lost is exact
        except Exception as error:  # noqa: BLE001 - it may be why the account ends
            self._log.warning("the last figures were not sent", error=repr(error))
        if not (life.done() and stopped):
            self._log.error("the plugin ignores its cancellation")
            self._leave(ending.code)

    def _handle_uncaught(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an exception that no code caught.

        In a callback it ends the account: a plugin whose callbacks fail is only half alive.
        That of a forgotten task or of a transport is logged; the plugin learns of the latter
        through ``connection_lost``.
        """
        error, text = context.get("exception"), context.get("message") or "error on the loop"
        ending = None if error is None else ending_of(error, self._hosted.explain)
        if ending is None or ending.cause == "failed":
            self._log.error(text, exc_info=error)
        else:
            self._log.warning(text, error=ending.text)
        if ending is not None and "handle" in context:
            self._end(ending)

    def _check_confinement(self) -> None:
        """End the account if its confinement blocks something that it needs."""
        from workers.process import confinement

        try:
            confinement.check_readable()
        except Transient as error:
            self._fail(error)

    def _begin_drain(self) -> None:
        """Begin to drain; if already drained, report it again, as the report may be lost."""
        running = self._draining is not None and not self._draining.done()
        if self._group is not None and not running:
            self._draining = self._group.create_task(self._drain())

    async def _drain(self) -> None:
        """Finish what is in flight and report that; the plugin runs until SIGTERM."""
        await self._hosted.drain()
        self._control.send_drained()

    def _begin_recheck(self) -> None:
        running = self._rechecking is not None and not self._rechecking.done()
        if self._group is not None and self._hosted.config is not None and not running:
            self._rechecking = self._group.create_task(self._recheck())

    async def _recheck(self) -> None:
        """Report whether the secrets have changed; they are compared in this process."""
        if self._sealed:  # it must begin anew to find out
            self._control.send_rechecked(True)
            return
        try:
            fresh = await self._hosted.fresh_config()
        except Misconfigured as error:
            self._control.send_rechecked(False, self._redact(str(error)))
        else:
            self._control.send_rechecked(fresh != self._hosted.config)

    def _beat(self, lag: float) -> Beat:
        backlog, context = self._link.backlog, self._hosted.context
        return Beat(
            lag=lag,
            rss_bytes=resources.rss_bytes(),
            cpu=resources.cpu_seconds(),
            fds=resources.open_files(),
            queued=len(backlog),
            queued_bytes=backlog.size_bytes,
            emitted=backlog.last,
            acked=backlog.acked,
            messages_in=self._hosted.messages_in,
            messages_out=self._hosted.messages_out,
            dropped=dict(self._link.dropped),
            media_bytes=context.media_bytes if context else 0,
            media_refusal=context.media_refusal if context else "",
        )

    def _report_activity(self) -> None:
        """Report the last activity and check the gateway; called before each beat."""
        self._link.verify()
        if self._boot.confine is not None:
            self._check_confinement()
        if self._hosted.context is not None:
            self._hosted.context.start_media_sweep()
        if patch := self._hosted.activity():
            self._control.patch(patch)


def hosted_of(
    boot: WorkerBoot,
    control: WorkerControlLink,
    log: structlog.typing.FilteringBoundLogger,
    redact: Redaction,
    fail: Callable[[BaseException], None],
) -> Hosted:
    """Return the account or agent that a worker with this boot object runs."""
    if is_agent(boot.key):
        from workers.process.agent import HostedAgent  # late: accounts need nothing of it

        return HostedAgent(boot, control, log, redact, fail)
    return HostedAccount(boot, control, log, redact, fail)
