"""Defines the entries of an account's outbox and its links to the other parts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from ipc.calls import Waiter
from ipc.epoch import now_ms
from ipc.errors import IpcError, RemoteError
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.accounts.account_calls import NotAsked
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import OutgoingMessage, OutgoingRow
from runtime.gateway.journal.waiting import wait_stored
from runtime.gateway.outbox.capacity import OutboxCapacity
from runtime.gateway.outbox.outcomes import AttemptFailure, SendPolicy, failure_of, in_doubt
from runtime.gateway.outbox.row_times import moved
from workers.messages import Sent

DIED = "the account's process has died while it was sending; it may have been sent"
RESTORED = "the journal was replaced by an older copy; it may have been sent since"

_encode = msgspec.json.Encoder().encode

OnAnswered = Callable[[str, int, bytes | Exception, bool], None]


class AskAccount(Protocol):
    """Calls an account without a task, as ``AccountCalls.ask``."""

    def __call__(
        self, key: str, method: str, params: bytes, seconds: float, waiter: Waiter[bytes]
    ) -> bool:
        """Call the account if it is reachable, and return whether; ``waiter`` gets the result."""


class OutboxLinks(msgspec.Struct, frozen=True):
    """The other parts that the outbox of an account uses.

    ``journal()`` is the journal once it is open, ``policy(key)`` what the account wants done,
    ``capacity`` counts what the messages of all accounts take,
    ``count(reason)`` counts the end of an attempt, ``on_end(key, row)`` is called with each row
    that is stored as over.
    """

    journal: Callable[[], Journal | None]
    peers: Peers
    ask: AskAccount
    jobs: Jobs
    flush_soon: Callable[[], None]
    policy: Callable[[str], SendPolicy]
    capacity: OutboxCapacity
    count: Callable[[str], None]
    on_end: Callable[[str, OutgoingRow], None]


class AttemptParams(msgspec.Struct, omit_defaults=True):
    """The params of ``deliver``, as ``workers.process.attempts`` reads them."""

    message: msgspec.Raw
    attempt: int
    texts: msgspec.Raw = msgspec.Raw(b"[]")
    sent: list[Sent] = []
    begin: bool = True
    edit: str = ""
    preview: bool = False


class AttemptResult(msgspec.Struct):
    """A worker's answer when everything is sent: the result of each part."""

    sent: list[Sent]


class Entry:
    """A message that is to be sent. ``calling``: a call about it is under way; ``stored``: it is in
    the journal; ``storing``: it, or the attempt that follows, is not there yet. ``size`` is that of
    its content, which is in memory while it is ``held``.

    ``taken`` wait until it is stored, ``ended`` until it is over; both get its row, and whether
    that was known before.
    """

    __slots__ = ("calling", "ended", "held", "outgoing", "size", "stored", "storing", "taken")

    def __init__(self, outgoing: OutgoingMessage, *, storing: bool, size: int = 0) -> None:
        self.outgoing = outgoing
        self.held = bool(outgoing.message)
        self.size = size or outgoing.size
        self.storing = storing
        self.stored = not storing
        self.calling = False
        self.taken: list[asyncio.Future[tuple[OutgoingRow, bool]]] = []
        self.ended: list[asyncio.Future[tuple[OutgoingRow, bool]]] = []

    @property
    def row(self) -> OutgoingRow:
        """The current row."""
        return self.outgoing.row

    def drop(self) -> None:
        """Drop the content from memory and keep the row; the content is in the journal."""
        self.outgoing = OutgoingMessage(self.row, b"")
        self.held = False

    def move(self, ms: int) -> None:
        """Move the times of the row by so many milliseconds, because the clock was set."""
        outgoing = self.outgoing
        row = moved(outgoing.row, ms)
        self.outgoing = OutgoingMessage(row, outgoing.message, outgoing.texts)

    def params(self, *, begin: bool, edit: str = "") -> bytes:
        """Return the params of the call about the present attempt.

        ``edit`` is the id of the message whose text it takes the place of.
        """
        row, outgoing = self.row, self.outgoing
        texts = msgspec.Raw(outgoing.texts or b"[]")
        message = msgspec.Raw(outgoing.message)
        preview = row.origin == "preview"
        return _encode(AttemptParams(message, row.attempts, texts, row.sent, begin, edit, preview))


def why_in_doubt(row: OutgoingRow) -> str:
    """Return why it is not known whether a row was sent, whose worker cannot be asked."""
    return DIED if row.incarnation else RESTORED


async def wait_for_row(entry: Entry, journal: Journal, *, queue: bool) -> tuple[OutgoingRow, bool]:
    """Wait until a row is over (``queue``: stored); return it, and whether its key was known.

    Raises ``RemoteError`` as soon as nothing can be stored: the message waits for room.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[OutgoingRow, bool]] = loop.create_future()
    if not queue:
        entry.ended.append(ended)
    if not entry.stored:
        taken: asyncio.Future[tuple[OutgoingRow, bool]] = loop.create_future()
        entry.taken.append(taken)
        left = max(entry.row.expires - now_ms(), 0) / 1000
        later = f"it is sent if there is room again within {left:.0f} s"
        found = await wait_stored(journal, taken, later)
        if queue or found[1]:
            return found
    return (entry.row, False) if queue else await ended


def result_of(
    result: bytes | Exception, *, begin: bool, died: bool
) -> list[Sent] | AttemptFailure | None:
    """Return what the result of an attempt's call means; ``None``: the next worker is asked.

    ``begin``: the call was to begin the attempt, and not to ask what became of it. Where such a
    question has not gone out, the attempt may have been made all the same. ``died``: the worker
    of the attempt is no more.
    """
    if isinstance(result, bytes):
        try:
            return decode_json(result, AttemptResult).sent
        except MALFORMED as error:
            return in_doubt(f"malformed answer ({error})")
    if isinstance(result, RemoteError) and (begin or not isinstance(result, NotAsked)):
        return failure_of(result)
    if isinstance(result, IpcError):
        return in_doubt(DIED) if died else None
    return in_doubt(str(result))


class AttemptWaiter:
    """Receiver of one attempt's result, instead of a future, which would need a task."""

    __slots__ = ("_answered", "_attempt", "_begin", "_key")

    def __init__(self, answered: OnAnswered, key: str, attempt: int, *, begin: bool) -> None:
        self._answered, self._key, self._attempt = answered, key, attempt
        self._begin = begin

    def done(self) -> bool:
        """Return that the result is still awaited."""
        return False

    def set_result(self, result: bytes) -> None:
        """Handle the account's answer."""
        self._answered(self._key, self._attempt, result, self._begin)

    def set_exception(self, exception: Exception) -> None:
        """Handle an error."""
        self._answered(self._key, self._attempt, exception, self._begin)


def resolve(futures: Iterable[asyncio.Future[Any]], result: object) -> None:
    """Set the result of all futures that are not done."""
    for future in futures:
        if not future.done():
            future.set_result(result)


def fail(futures: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    """Set the error of all futures that are not done."""
    for future in futures:
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_exception(error)
            future.exception()  # seen, even where the caller is gone
