"""Shows the newest messages of all accounts: ``messages.recent``. Ours."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.frames.requests import MAX_KEYS, Params
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, method
from runtime.gateway.parts import GatewayParts

Key = Annotated[str, Meta(min_length=1, max_length=129)]
MOST = 2000
AT_FIRST = 2000  # payloads of all accounts together, which takes some milliseconds
LEAST = 2  # of each account
MOST_BYTES = 4 << 20  # of an answer; a client takes 25 MiB


class RecentParams(Params):
    """The params of ``messages.recent``: how many, of some ``accounts`` or of all."""

    limit: Annotated[int, Meta(ge=1, le=MOST)] = 100
    accounts: Annotated[list[Key], Meta(max_length=MAX_KEYS)] | None = None


class _When(msgspec.Struct):
    ts: int = 0


class _Payload(msgspec.Struct):
    """What is read of an event: one without a message is no ``channel.message``."""

    message: _When


@method("messages.recent", READ, RecentParams, ours=True, most_bytes=TEXT_BYTES)
def messages_recent(parts: GatewayParts, client: ConnectedClient, params: RecentParams) -> Any:
    """Answer with the newest messages in and out that the gateway has in memory. The newest is
    first; each has the form of the event `channel.message`. With large texts there are fewer than
    `limit`; `more` is whether there may be older ones.
    """
    asked = parts.accounts.rows if params.accounts is None else params.accounts
    keys = list(dict.fromkeys(asked))  # one that is named twice has its messages once
    newest, more = newest_messages(parts.rings, keys, params.limit)
    answered = [msgspec.Raw(payload) for payload in _within(newest, MOST_BYTES)]
    return {"messages": answered, "more": more or len(answered) < len(newest)}


def newest_messages(rings: Rings, keys: Collection[str], limit: int) -> tuple[list[bytes], bool]:
    """Return the newest ``limit`` messages of accounts, and whether there may be more.

    They are ordered by their time, the newest first.

    A few are read of each account, and of an account twice as many as long as all that were read
    may be among the newest: most accounts have none there, and one may have them all.
    """
    count = max(LEAST, min(limit, AT_FIRST // max(1, len(keys))))
    tails = [_Tail(rings, key, count) for key in keys]
    while True:
        # the sort is stable: of one instant the later cursor stays behind
        read = sorted((item for tail in tails for item in tail.items), key=itemgetter(0))
        found = read[-limit:]
        oldest = found[0][0] if len(found) == limit else -math.inf
        unread = [tail for tail in tails if tail.may_reach(oldest)]
        if not unread:
            more = len(read) > limit or any(tail.is_cut for tail in tails)
            return [payload for _, payload in reversed(found)], more
        for tail in unread:
            tail.read(2 * tail.count)


class _Tail:
    """The newest messages of one account, with their times, as far as they were read."""

    def __init__(self, rings: Rings, key: str, count: int) -> None:
        self._rings = rings
        self._key = key
        self.read(count)

    def read(self, count: int) -> None:
        """Read the messages among the last ``count`` payloads."""
        payloads = self._rings.last(self._key, count)
        self.count = count
        self.is_cut = len(payloads) == count
        self.items = list(_timed(payloads))

    def may_reach(self, oldest: float) -> bool:
        """Return whether messages that were not read may be newer than ``oldest``."""
        newer = not self.items or self.items[0][0] >= oldest
        return self.is_cut and self.count < MOST and newer


def _within(payloads: list[bytes], most_bytes: int) -> Iterator[bytes]:
    """Yield the first payloads that take so many bytes together, or one."""
    for number, payload in enumerate(payloads):
        most_bytes -= len(payload)
        if number and most_bytes < 0:
            return
        yield payload


def _timed(payloads: list[bytes]) -> Iterator[tuple[int, bytes]]:
    for payload in payloads:
        try:
            yield decode_json(payload, _Payload).message.ts, payload
        except MALFORMED:
            continue  # what else has happened on the platform
