"""Sends a message of the gateway's outbox once per attempt, and remembers the results.

The gateway keeps the messages; only this process knows which attempts have begun. So the result of
each attempt is remembered here, and an attempt that the gateway asked about before it had begun
never begins: the answer given to the gateway stays true.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec

from ipc.frames.data import Call
from ipc.nesting import MALFORMED, decode_json
from workers.errors import MaybeSent, SendFailed
from workers.messages import Outbound, Sent

# Results that are remembered. A gateway asks after its end at most for what was running, 64 calls,
# and the few whose results it had not stored: they need no end by time.
MAX_KNOWN = 1_000


class SendAttempt(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The params of the call ``deliver``: a message, and the parts sent by earlier attempts.

    ``texts`` are its rendered parts, if it has several and they were rendered before. With
    ``begin`` false the gateway asks for the result of an attempt, and none begins. ``edit`` is the
    id of a message whose text the first part replaces. A ``preview`` is a message that will be
    edited, and is not reported to clients.
    """

    message: Outbound
    attempt: int
    texts: list[str] = []
    sent: list[Sent] = []
    begin: bool = True
    edit: str = ""
    preview: bool = False


def only_asks(call: Call) -> bool:
    """Return whether a call only asks for the result of an attempt.

    It is answered even if other calls are refused: a refusal would mean that nothing was sent.
    """
    if call.method != "deliver":
        return False
    try:
        return not decode_json(call.params, SendAttempt).begin
    except MALFORMED:
        return False


class NotBegun(SendFailed):
    """The attempt in question has not begun and never will."""

    flag = "notBegun"


class _Known:
    """One attempt: running, or its result. ``texts`` and ``sent`` are its progress."""

    __slots__ = ("result", "sent", "texts")

    def __init__(self, result: asyncio.Future[list[Sent]]) -> None:
        self.result = result
        self.texts: list[str] = []
        self.sent: list[Sent] = []


Progress = Callable[[list[str], list[Sent]], None]
SendAll = Callable[[SendAttempt, Progress], Awaitable[list[Sent]]]
ReportProgress = Callable[[str, int, list[str], list[Sent]], None]


class SendAttempts:
    """The attempts of one account's worker.

    ``report(key, attempt, texts, sent)`` reports the progress of a message of several parts;
    ``texts`` is empty if they were reported before.
    """

    def __init__(self, report: ReportProgress, max_known: int = MAX_KNOWN) -> None:
        self._report = report
        self._max_known = max_known
        self._known: OrderedDict[tuple[str, int], _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    async def deliver(self, delivery: SendAttempt, send: SendAll) -> list[Sent]:
        """Return the result of each part; call ``send`` only if the attempt is new.

        Raises what ``send`` raised, at every call; ``NotBegun`` for an attempt that was asked about
        before it could begin.
        """
        name = delivery.message.key, delivery.attempt
        known = self._known.get(name)
        if known is not None:
            if known.texts:
                self._report(*name, known.texts, known.sent)
            # Shielded: a caller that gives up must not take the result from the others.
            return await asyncio.shield(known.result)
        known = self._known[name] = _Known(asyncio.get_running_loop().create_future())
        self._forget()
        try:
            if not delivery.begin:
                raise NotBegun("it was not begun", retryable=True)
            done = await send(
                delivery, lambda texts, sent: self._on_progress(name, known, texts, sent)
            )
        except BaseException as error:
            self._fail(known, error)
            raise
        known.result.set_result(done)
        return done

    def _on_progress(
        self, name: tuple[str, int], known: _Known, texts: list[str], sent: list[Sent]
    ) -> None:
        new = texts if not known.texts else []
        known.texts, known.sent = texts, list(sent)
        self._report(*name, new, known.sent)

    def _fail(self, known: _Known, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            error = MaybeSent("the account is stopping; it may have been executed")
        known.result.set_exception(error)
        known.result.exception()  # retrieved, even when no caller asks again

    def _forget(self) -> None:
        """Drop the oldest results, but no running attempts."""
        for name, known in list(self._known.items())[: len(self._known) - self._max_known]:
            if known.result.done():
                del self._known[name]
