"""Runs the gateway's calls to the plugin, each as a task, and answers each exactly once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET

from ipc.calls import RESOLUTION
from ipc.epoch import now_ms
from ipc.frames.data import MAX_PAYLOAD_BYTES, Call, HttpCall
from ipc.frames.websocket import ErrorShape
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.idempotency import Once
from ipc.nesting import MALFORMED, SHORT_TEXT, require_shallow
from ipc.timeouts import cancel_all
from workers.errors import LoggedOut, MaybeSent, SendFailed
from workers.media.abilities import METHODS
from workers.messages import Action, Outbound, Sent, merged
from workers.process.attempts import (
    Progress,
    ReportProgress,
    SendAll,
    SendAttempt,
    SendAttempts,
    only_asks,
)
from workers.process.endings import last_line
from workers.process.explanations import (
    Explain,
    ends_the_account,
    failed_send,
    members,
    unexplained,
)
from workers.process.http_requests import AnswerHttp, HttpRequests
from workers.process.typing_repeats import TypingRepeater

RESULTS = {"history": "messages", "chat": "chat", "members": "members"}  # as clients get them
MAX_RUNNING = 64
STARTING = "the account is starting"
TIME_LIMIT = 120.0  # seconds; a call that hangs must not hold its place for ever

T = TypeVar("T")
Reply = Callable[[int, str, bool, bytes], None]
SendPart = Callable[[Outbound], Awaitable[Sent]]
EditPart = Callable[[Action], Awaitable[Any]]
RenderEdit = Callable[[Action], Awaitable[Action]]
ReadyFiles = Callable[[Outbound], AbstractAsyncContextManager[Outbound]]

_outbound = msgspec.json.Decoder(Outbound)
_attempt = msgspec.json.Decoder(SendAttempt)
_action = msgspec.json.Decoder(Action)
_encode = msgspec.json.Encoder().encode


class InvalidCall(Exception):
    """The call is invalid; the text is the reason."""


class PluginHooks(NamedTuple):
    """How calls to one plugin are carried out; without a hook the plugin gets them as they are.

    Messages go through ``send``, those that the gateway keeps through ``send_all``. ``can`` is what
    the manifest promises, ``files`` makes the files of a message ready, ``render_edit`` renders the
    text of an edit, ``show`` edits previews.
    """

    plugin: Any
    can: frozenset[str] = frozenset()
    send: SendPart | None = None
    send_all: SendAll | None = None
    files: ReadyFiles | None = None
    render_edit: RenderEdit | None = None
    show: EditPart | None = None


class PluginCalls:
    """The calls to one account. Before ``begin`` and after ``close`` new ones are refused.

    ``reply(id, gateway, ok, payload)`` receives each answer, ``sent(message, sent)`` each
    message that the plugin really sent, ``fail(error)`` each error that ends the account,
    ``progress(key, attempt, texts, sent)`` how far a message of several parts has come,
    ``answer_http(answer, gateway)`` the answer to each HTTP request.
    ``explain`` says what an error means that is no ``ChannelError``.
    """

    def __init__(
        self,
        *,
        reply: Reply,
        sent: Callable[[Outbound, Sent], Awaitable[None]],
        fail: Callable[[BaseException], None],
        answer_http: AnswerHttp,
        redact: Callable[[str], str] = str,
        log: Any,
        explain: Explain = unexplained,
        progress: ReportProgress = lambda key, attempt, texts, sent: None,
    ) -> None:
        self._hooks = PluginHooks(None)
        self._typing = TypingRepeater(0.0, self._on_typing_failed)
        self._attempts = SendAttempts(progress)
        self._refusal = STARTING  # why no call can begin; empty: one can
        self._reply = reply
        self._report_sent = sent
        self._fail = fail
        self._redact = redact
        self._log = log
        self._explain = explain
        self._loop = asyncio.get_running_loop()
        self._running: dict[asyncio.Task[None], float] = {}  # by deadline, the oldest first
        self._timer: asyncio.TimerHandle | None = None  # one for all: one each costs like a task
        self._overdue: set[asyncio.Task[None]] = set()
        # Each key is sent once; only this process knows what was really sent.
        self._results = Once(self._loop.time, _stopping)
        self._http = HttpRequests(answer=answer_http, fail=fail, log=log, explain=explain)
        self._made = 0  # ids made here, for platforms that give none

    def begin(self, hooks: PluginHooks, *, typing: float = 0.0, bodies: Path | None = None) -> None:
        """Accept calls for a plugin from now on.

        For ``typing`` seconds the platform shows that the account types, ``bodies`` has large
        bodies of HTTP requests.
        """
        self._hooks = hooks
        if self._refusal == STARTING:  # else it was closed before
            self._refusal = ""
        self._typing = TypingRepeater(typing, self._on_typing_failed)
        if "http" in hooks.can:
            self._http.begin(hooks.plugin, bodies)

    def close(self) -> None:
        """Refuse new calls from now on; running ones continue."""
        self._refusal = "the account is stopping"
        self._typing.close()
        self._http.close()

    def on_call(self, call: Call | HttpCall, gateway: str) -> None:
        """Start ``call``, or refuse it at once when it cannot run now."""
        if isinstance(call, HttpCall):
            self._http.on_call(call, gateway)
        elif (self._refusal or len(self._running) >= MAX_RUNNING) and not only_asks(call):
            text = self._refusal or f"{MAX_RUNNING} calls are running"
            self._refuse(call, gateway, text, retryable=True)
        else:
            task = self._loop.create_task(self._run(call, gateway))
            self._running[task] = self._loop.time() + TIME_LIMIT
            task.add_done_callback(self._on_ended)
            if self._timer is None:
                self._timer = self._loop.call_later(TIME_LIMIT, self._give_up)

    async def finish(self) -> None:
        """Refuse new calls, and wait for running ones."""
        self.close()
        while self._running:
            await asyncio.wait(set(self._running))
        await self._typing.finish()
        await self._http.finish()

    async def cancel(self, deadline: float | None) -> None:
        """Cancel running calls; each is answered that the account is stopping.

        Returns at ``deadline`` (loop time) at the latest.
        """
        if self._timer is not None:
            self._timer.cancel()
        await cancel_all(self._running, deadline)
        await self._http.cancel(deadline)

    def _give_up(self) -> None:
        """Cancel overdue calls, and set the timer for the next."""
        self._timer, now = None, self._loop.time()
        for task, deadline in self._running.items():
            if deadline > now + RESOLUTION:
                self._timer = self._loop.call_at(deadline, self._give_up)
                break
            if task not in self._overdue:
                self._overdue.add(task)
                task.cancel()

    def _on_ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._overdue.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)  # a fault of the worker: those of the plugin are answered

    async def _run(self, call: Call, gateway: str) -> None:
        try:
            result = await self._result(call)
            payload = _encode(result)
            if len(payload) > MAX_PAYLOAD_BYTES:
                raise ValueError(f"a result of {len(payload)} bytes is too large")
        except InvalidCall as error:
            self._refuse(call, gateway, str(error), code=INVALID_REQUEST)
        except asyncio.CancelledError:
            if asyncio.current_task() not in self._overdue:
                stopping: SendFailed = _stopping()
                if call.method == "probe":
                    stopping = SendFailed(str(stopping), retryable=True)
                self._refuse(call, gateway, str(stopping), failed=stopping)
                raise
            text = f"{call.method}: no result within {TIME_LIMIT:g} s; it may have been executed"
            self._refuse(call, gateway, text, failed=MaybeSent(text))
        except (SystemExit, KeyboardInterrupt) as error:
            self._refuse(call, gateway, last_line(error))
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a plugin's fault ends its call, not the account
            self._on_failed(call, gateway, error)
        else:
            self._reply(call.id, gateway, True, payload)

    def _on_failed(self, call: Call, gateway: str, error: Exception) -> None:
        """Answer a call that has raised; end the account if the error requires that."""
        leaves = members(error, self._explain)
        ending = [leaf for leaf in leaves if ends_the_account(leaf)]
        failed = [leaf for leaf in leaves if isinstance(leaf, SendFailed)]
        network = [failed_send(leaf) for leaf in leaves]
        if ending:
            self._refuse(call, gateway, str(ending[0]) or type(ending[0]).__name__)
            self._fail(error)
        elif failed:
            cause = min(failed, key=lambda leaf: not leaf.maybe_sent)
            self._refuse(call, gateway, str(cause) or "not sent", failed=cause)
        elif all(network):
            cause = min(filter(None, network), key=lambda leaf: not leaf.maybe_sent)
            if call.method == "probe":  # which may be repeated
                cause = SendFailed(str(cause), reason="unavailable")
            self._log.warning("a call failed", method=call.method, error=str(cause))
            self._refuse(call, gateway, str(cause), failed=cause)
        else:
            self._log.error("a call failed", method=call.method, exc_info=error)
            self._refuse(call, gateway, last_line(error))

    async def _result(self, call: Call) -> Any:
        match call.method:
            case "send":
                message = _decoded(_outbound, "send", call.params)
                return await self._results.once(message.key, lambda: self._deliver(message))
            case "deliver":
                attempt = _decoded(_attempt, "deliver", call.params)
                return {"sent": await self._attempts.deliver(attempt, self._attempt)}
            case "action":
                action = _decoded(_action, "action", call.params)
                # prefixed: the same key may have been used for a send
                return await self._results.once(f"action:{action.key}", lambda: self._call(action))
            case "preview" if self._hooks.show is not None:
                await self._hooks.show(_decoded(_action, "preview", call.params))
                return {}
            case "probe" | "logout":
                return await self._call_plugin(call.method)
        raise InvalidCall(f"unknown method: {call.method}")

    def _deliver(self, message: Outbound) -> Awaitable[Sent]:
        self._typing.end(message.to)
        if message.attachments and self._hooks.files is not None:
            return self._deliver_with_files(message, self._hooks.files)
        return self._deliver_ready(message)

    async def _deliver_with_files(self, message: Outbound, files: ReadyFiles) -> Sent:
        async with files(message) as ready:
            return await self._deliver_ready(ready)

    async def _deliver_ready(self, message: Outbound) -> Sent:
        sent = self._completed(await (self._hooks.send or self._hooks.plugin.send)(message))
        await self._notify_sent(message, sent)
        return sent

    async def _attempt(self, attempt: SendAttempt, progress: Progress) -> list[Sent]:
        if not attempt.preview:  # an agent that still writes is still typing
            self._typing.end(attempt.message.to)
        files = self._hooks.files
        if not attempt.message.attachments or files is None:
            return await self._attempt_ready(attempt, progress)
        async with files(attempt.message) as ready:
            return await self._attempt_ready(
                msgspec.structs.replace(attempt, message=ready), progress
            )

    async def _attempt_ready(self, attempt: SendAttempt, progress: Progress) -> list[Sent]:
        hooks = self._hooks
        if hooks.send_all is None:
            parts = [await hooks.plugin.send(attempt.message)]
        else:
            parts = await hooks.send_all(attempt, progress)
        sent = [self._completed(part) for part in parts]
        if not attempt.preview:
            await self._notify_sent(attempt.message, merged(sent))
        return sent

    def _completed(self, sent: Sent) -> Sent:
        """Return a plugin's result with missing fields filled in."""
        if not isinstance(sent, Sent):
            raise TypeError(f"send returned {type(sent).__name__} instead of Sent")
        if sent.id and sent.ts:
            return sent
        self._made += 1
        now = now_ms()
        return msgspec.structs.replace(sent, id=sent.id or f"{now}-{self._made}", ts=sent.ts or now)

    async def _notify_sent(self, message: Outbound, sent: Sent) -> None:
        try:
            await self._report_sent(message, sent)
        except Exception:  # noqa: BLE001 - the message was sent all the same
            self._log.exception("the event of a sent message was not posted")

    async def _call(self, action: Action) -> dict[str, Any]:
        name, hooks = action.name, self._hooks
        function = function_for(hooks.plugin, name, hooks.can)
        if function is None:
            raise InvalidCall(f"the channel has no {name}")
        if name == "edit" and hooks.render_edit is not None:
            action = await hooks.render_edit(action)
        if name == "typing":
            result = await self._typing.show(function, action)
        else:
            result = await function(action)
        if isinstance(result, dict):
            return result
        return {RESULTS[name]: result} if result is not None and name in RESULTS else {}

    def _on_typing_failed(self, error: Exception) -> None:
        """Handle a failed repetition of typing: end the account if the error requires that."""
        if any(ends_the_account(leaf) for leaf in members(error, self._explain)):
            self._fail(error)
        else:
            self._log.debug("typing is not shown any more", error=last_line(error))

    async def _call_plugin(self, method: str) -> Any:
        function = getattr(self._hooks.plugin, method, None)
        if function is None:
            raise InvalidCall(f"the channel has no {method}")
        result = await function()
        if method == "probe":
            return result if isinstance(result, dict) else {"ok": bool(result)}
        if result:  # without a login nothing is left to run
            self._fail(LoggedOut("logged out on request"))
        return {"loggedOut": bool(result)}

    def _refuse(
        self,
        call: Call,
        gateway: str,
        text: str,
        *,
        code: str = UNAVAILABLE,
        retryable: bool = False,
        failed: SendFailed | None = None,
    ) -> None:
        """Answer a call with an error; ``failed`` has its details."""
        details: dict[str, Any] = {}
        after: float | None = None
        if failed is not None:
            retryable, after = failed.retryable, failed.retry_after
            if failed.maybe_sent:
                details["maybeExecuted"] = True
            if failed.reason is not None:
                details["reason"] = failed.reason
            if failed.scope == "account":
                details["scope"] = failed.scope
            if failed.flag:
                details[failed.flag] = True
        wait = UNSET if after is None else max(0, math.ceil(after * 1000))
        shape = ErrorShape(code, self._redact(text)[:2000], details or UNSET, retryable, wait)
        self._reply(call.id, gateway, False, _encode(shape))


def function_for(plugin: Any, name: str, can: frozenset[str]) -> EditPart | None:
    """Return the plugin's method for an action; ``None`` if there is none."""
    own: EditPart | None = getattr(plugin, name, None) if name in METHODS & can else None
    return own or getattr(plugin, "act", None)


def _decoded(decoder: msgspec.json.Decoder[T], method: str, params: bytes) -> T:
    try:
        if len(params) > SHORT_TEXT:
            require_shallow(params)
        return decoder.decode(params)
    except MALFORMED as error:
        raise InvalidCall(f"invalid {method} params: {error}") from None


def _stopping() -> MaybeSent:
    """Return the error for a call that was cancelled while it ran."""
    return MaybeSent("the account is stopping; it may have been executed")
