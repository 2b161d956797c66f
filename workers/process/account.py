"""Runs an account in its worker: loads the plugin, carries calls to it, counts its traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from ipc.epoch import now_ms
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.control import LoginAnswer, LoginTaken
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink
from workers.messages import Outbound, Sent
from workers.plugin import Manifest
from workers.process.calls import PluginCalls, PluginHooks, function_for
from workers.process.context import AccountContext
from workers.process.explanations import Explain, explaining, guarded, unexplained
from workers.process.loading import config_of, make_directory, manifest_of, plugin_class
from workers.process.logging import Redaction
from workers.process.login import GONE
from workers.process.sending import PartSender

WAIT_TOLD = 1.0  # seconds; a gateway that is there answers sooner
WAITS_FOR_GATEWAY = "it waits for the gateway, which keeps its cursor"


class HostedAccount:
    """The account of a worker. ``fail(error)`` ends it; ``config`` is what the plugin got."""

    def __init__(
        self,
        boot: WorkerBoot,
        control: WorkerControlLink,
        log: structlog.typing.FilteringBoundLogger,
        redact: Redaction,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.link = WorkerDataLink(boot, self._on_call, log)
        self.explain: Explain = unexplained
        self.config: Any = None
        self.context: AccountContext | None = None
        self.messages_out = 0
        self._boot = boot
        self._control = control
        self._log = log
        self._redact = redact
        self._loop = asyncio.get_running_loop()
        self._counted = (0, 0)  # messages in and out at the last report of activity
        self._calls = PluginCalls(
            reply=self.link.answer,
            sent=self._report_sent,
            fail=fail,
            answer_http=self.link.send_answer,
            redact=redact,
            log=log,
            explain=lambda error: self.explain(error),
            progress=self.link.report_progress,
        )

    @property
    def messages_in(self) -> int:
        """How many messages the plugin has emitted."""
        return self.context.messages_in if self.context else 0

    async def run(self) -> None:
        """Load the plugin and run it."""
        plugin = await self._load()
        await plugin.run()

    async def fresh_config(self) -> Any:
        """Return the configuration with its secrets read again; raises ``Misconfigured``."""
        return await config_of(self._boot, manifest_of(self._boot, Manifest), self._redact)

    def close(self) -> None:
        """Refuse new calls from now on; running ones continue."""
        self._calls.close()

    async def cancel(self, deadline: float | None) -> bool:
        """Cancel running calls, waiting until ``deadline`` (loop time) at most; return True."""
        await self._calls.cancel(deadline)
        return True

    async def finish(self) -> None:
        """Accept no new calls, and wait for running ones."""
        await self._calls.finish()

    async def drain(self) -> None:
        """Finish what is in flight: calls are answered, messages acknowledged."""
        await self._calls.finish()
        await self.link.wait_acknowledged(self.link.backlog.last)

    async def wait_settled(self) -> None:
        """Wait until everything sent to the gateway has arrived there."""
        await self.link.wait_settled()

    def on_login_answer(self, answer: LoginAnswer) -> LoginTaken:
        """Handle a person's answer to a login prompt; return whether it was accepted."""
        if self.context is None:  # a prompt of this process is yet to come
            return LoginTaken(answer.id, GONE)
        return self.context.logins.on_answer(answer)

    def forget_credentials(self) -> None:
        """Remove the saved credentials of a login; raises ``OSError``."""
        if self.context is not None:
            self.context.forget_credentials()

    def activity(self) -> dict[str, Any]:
        """Return the changed fields of the status row; called before each beat."""
        before_in, before_out = self._counted
        self._counted = (self.messages_in, self.messages_out)
        now = now_ms()
        patch: dict[str, Any] = {}
        if self._counted[0] != before_in:
            patch["lastInboundAt"] = now
        if self._counted[1] != before_out:
            patch["lastOutboundAt"] = now
        return {**patch, "lastEventAt": now} if patch else patch

    async def _load(self) -> Any:
        boot = self._boot
        manifest = manifest_of(boot, Manifest)
        config = self.config = await config_of(boot, manifest, self._redact)
        make_directory(Path(boot.storage))
        if manifest.cursor:
            await self._wait_for_cursor()
        context = self.context = AccountContext(
            boot,
            config,
            self._log,
            self.link,
            self._control,
            self._redact,
            manifest,
        )
        self._control.patch(manifest.status)
        made = plugin_class(manifest)
        if (explain := getattr(made, "explain", None)) is not None:
            self.explain = guarded(explain, self._log)
        plugin = made(context)
        self._accept_calls(plugin, manifest, context, translates=explain is not None)
        return plugin

    def _accept_calls(
        self, plugin: Any, manifest: Manifest, context: AccountContext, *, translates: bool
    ) -> None:
        """Accept calls to the plugin; with ``translates`` its exceptions go through ``explain``."""
        send = explaining(plugin.send, self.explain) if translates else plugin.send
        edit = function_for(plugin, "edit", manifest.can) if "edit" in manifest.can else None
        if edit is not None and translates:
            edit = explaining(edit, self.explain)
        group = getattr(plugin, "is_group", None)
        sender = PartSender(send, manifest.text, manifest.pace, edit=edit, is_group=group)
        media = self._boot.media
        hooks = PluginHooks(
            plugin,
            manifest.can,
            sender.send,
            sender.deliver,
            partial(context.ready_files, manifest),
            sender.rendered_edit,
            None if edit is None else sender.show,
        )
        bodies = None if media is None else Path(media.directory)
        self._calls.begin(hooks, typing=manifest.typing, bodies=bodies)

    async def _wait_for_cursor(self) -> None:
        """Wait for the cursor from the gateway; report the wait if it takes long."""
        report = self._loop.call_later(WAIT_TOLD, self._control.send_waits, WAITS_FOR_GATEWAY)
        try:
            await self.link.wait_for_cursor()
        finally:
            report.cancel()
        if report.when() <= self._loop.time():
            self._control.send_waits("")

    def _on_call(self, call: Any, gateway: str) -> None:
        self._calls.on_call(call, gateway)

    def _report_sent(self, message: Outbound, sent: Sent) -> Awaitable[None]:
        assert self.context is not None
        self.messages_out += 1
        return self.context.report_sent(message, sent)
