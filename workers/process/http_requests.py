"""Runs HTTP requests to the plugin, each as a task, and answers each exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipc.frames.data import (
    MAX_HTTP_HEAD_BYTES,
    MAX_HTTP_HEADERS,
    MAX_PAYLOAD_BYTES,
    HttpAnswer,
    HttpCall,
    http_head_bytes,
)
from ipc.media import is_body_name
from ipc.timeouts import cancel_all
from workers.errors import SendFailed
from workers.messages import HttpRequest, HttpResponse
from workers.process.explanations import (
    Explain,
    ends_the_account,
    failed_send,
    members,
    unexplained,
)

MAX_RUNNING = 64  # more than the gateway sends at once
RETRY_SECONDS = "5"  # after which a refused request may come again

AnswerHttp = Callable[[HttpAnswer, str], None]


class HttpRequests:
    """The HTTP requests to one account. Before ``begin`` and after ``close`` they are refused.

    ``answer(answer, gateway)`` gets each answer, ``fail(error)`` each error that ends the account.
    ``explain`` says what an error means that is no ``ChannelError``.
    """

    def __init__(
        self,
        *,
        answer: AnswerHttp,
        fail: Callable[[BaseException], None],
        log: Any,
        explain: Explain = unexplained,
    ) -> None:
        self._plugin: Any = None
        self._bodies: Path | None = None
        self._closing = False
        self._answer = answer
        self._fail = fail
        self._log = log
        self._explain = explain
        self._loop = asyncio.get_running_loop()
        self._running: dict[asyncio.Task[None], asyncio.TimerHandle] = {}
        self._overdue: set[asyncio.Task[None]] = set()

    def begin(self, plugin: Any, bodies: Path | None = None) -> None:
        """Pass requests on to ``plugin`` from now on; large bodies are files in ``bodies``."""
        self._plugin, self._bodies = plugin, bodies

    def close(self) -> None:
        """Refuse new requests from now on; running ones continue."""
        self._closing = True

    def on_call(self, call: HttpCall, gateway: str) -> None:
        """Start a request, or refuse it at once when it cannot run now."""
        if self._plugin is None or self._closing:
            state = "stopping" if self._closing else "starting"
            self._refuse(call, gateway, 503, f"the account is {state}")
        elif not callable(getattr(self._plugin, "http", None)):
            self._refuse(call, gateway, 404, "the channel takes no HTTP requests")
        elif len(self._running) >= MAX_RUNNING:
            self._refuse(call, gateway, 503, f"{MAX_RUNNING} requests are running")
        else:
            task = self._loop.create_task(self._run(call, gateway))
            timer = self._loop.call_later(call.seconds, self._give_up, task, call, gateway)
            self._running[task] = timer
            task.add_done_callback(self._on_ended)

    async def finish(self) -> None:
        """Refuse new requests, and wait for running ones."""
        self.close()
        while self._running:
            await asyncio.wait(set(self._running))

    async def cancel(self, deadline: float | None) -> None:
        """Cancel running requests; each is answered that the account is stopping.

        Returns at ``deadline`` (loop time) at the latest.
        """
        await cancel_all(self._running, deadline)

    def _give_up(self, task: asyncio.Task[None], call: HttpCall, gateway: str) -> None:
        """Answer in place of a plugin that is too slow, and cancel its task."""
        self._overdue.add(task)
        self._log.warning("an HTTP request was not answered in time", path=call.path)
        self._refuse(call, gateway, 504, f"no answer within {call.seconds:g} s")
        task.cancel()

    def _on_ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task).cancel()
        self._overdue.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)  # a fault of the worker: those of the plugin are answered

    async def _run(self, call: HttpCall, gateway: str) -> None:
        file = None
        if self._bodies is not None and is_body_name(call.file):
            file = self._bodies / call.file
        request = HttpRequest(
            call.method, call.path, call.query, call.headers, call.remote, call.payload, file
        )
        late = self._overdue
        task = asyncio.current_task()
        try:
            answer = _answer_of(call.id, await self._plugin.http(request))
        except asyncio.CancelledError:
            if task not in late:
                self._refuse(call, gateway, 503, "the account is stopping")
                raise
        except (SystemExit, KeyboardInterrupt) as error:
            self._refuse(call, gateway, 500, "the channel has failed")
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a plugin's fault ends its request, no more
            if task not in late:
                self._on_failed(call, gateway, error)
        else:
            if task not in late:
                self._answer(answer, gateway)

    def _on_failed(self, call: HttpCall, gateway: str, error: Exception) -> None:
        """Answer a request whose plugin has raised; end the account if the error requires that.

        The reason is not sent to the client, only to the account's log.
        """
        leaves = members(error, self._explain)
        if any(map(ends_the_account, leaves)):
            self._refuse(call, gateway, 503, "the account is stopping")
            self._fail(error)
        elif all(isinstance(leaf, SendFailed) or failed_send(leaf) for leaf in leaves):
            self._log.warning("an HTTP request failed", path=call.path, error=str(error))
            self._refuse(call, gateway, 503, "the account cannot do this now")
        else:
            self._log.error("an HTTP request failed", path=call.path, exc_info=error)
            self._refuse(call, gateway, 500, "the channel has failed")

    def _refuse(self, call: HttpCall, gateway: str, status: int, text: str) -> None:
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        if status == 503:
            headers.append(("Retry-After", RETRY_SECONDS))
        self._answer(HttpAnswer(call.id, status, headers, f"{text}\n".encode()), gateway)


def _answer_of(id: int, response: Any) -> HttpAnswer:
    """Convert a plugin's response to a frame; raises for an invalid or too large one."""
    if not isinstance(response, HttpResponse):
        raise TypeError(f"http returned {type(response).__name__} instead of HttpResponse")
    status, body, headers = response.status, response.body, response.headers
    if type(status) is not int or not 200 <= status <= 599:
        raise ValueError(f"http returned the status {status!r}, not one from 200 to 599")
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError(f"http returned a body of {type(body).__name__} instead of bytes")
    headers = [(name, value) for name, value in headers]
    if strange := [each for pair in headers for each in pair if type(each) is not str]:
        raise TypeError(f"http returned a header with {type(strange[0]).__name__} instead of str")
    body = bytes(body)
    if len(body) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"http returned {len(body)} bytes, at most {MAX_PAYLOAD_BYTES} go")
    if len(headers) > MAX_HTTP_HEADERS or http_head_bytes(headers) > MAX_HTTP_HEAD_BYTES:
        raise ValueError("http returned too many headers")
    return HttpAnswer(id, status, headers, body)
