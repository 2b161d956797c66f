"""Decides when the account may send, by its rate limits and the platform's ``retry_after``. Pure.

The platform's own ``retry_after`` is always obeyed, even if it is hours; the rate limits only make
it rare. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

import itertools

from ipc.token_bucket import TokenBucket
from workers.text.limits import Pace, Rate

MOST_CHATS = 10_000  # remembered at once; beyond, some are forgotten


class Pacer:
    """The rate limits of one account and how much of them is used."""

    def __init__(self, pace: Pace, now: float) -> None:
        self._pace = pace
        self._account = _bucket(pace.account, now)
        self._chats: dict[str, list[TokenBucket]] = {}
        self._held = now  # nothing may go out before
        self._held_chats: dict[str, float] = {}

    def hold(self, until: float, chat: str | None = None) -> None:
        """Send nothing before ``until``, to ``chat`` or to any; an earlier time changes nothing."""
        if chat is None:
            self._held = max(self._held, until)
        else:
            self._held_chats[chat] = max(self._held_chats.get(chat, until), until)

    def not_yet_until(self, now: float, chat: str, *, group: bool = False) -> float | None:
        """Return when a message to ``chat`` may go out; ``None`` when it may now.

        It may go out at that time, unless other messages or a hold come first.
        """
        waits = [bucket.delay(now) for bucket in self._buckets(now, chat, group)]
        at = max(now + max(waits, default=0.0), self._held, self._held_chats.get(chat, now))
        return at if at > now else None

    def reserve(self, now: float, chat: str, *, group: bool = False) -> bool:
        """Count a message to ``chat`` if it may go out now; return whether it may."""
        if self.not_yet_until(now, chat, group=group) is not None:
            return False
        for bucket in self._buckets(now, chat, group):
            bucket.overdraw(now)  # it has one, but for what adding small parts may miss
        return True

    def _buckets(self, now: float, chat: str, group: bool) -> list[TokenBucket]:
        account = [] if self._account is None else [self._account]
        if self._pace.chat is None and not (group and self._pace.group):
            return account
        buckets = self._chats.get(chat)
        if buckets is None:
            if len(self._chats) >= MOST_CHATS:
                self._forget(now)
            rates = (self._pace.chat, self._pace.group if group else None)
            buckets = [each for rate in rates if (each := _bucket(rate, now)) is not None]
            self._chats[chat] = buckets
        return account + buckets

    def _forget(self, now: float) -> None:
        """Drop chats whose limits are no longer reached, and at least the oldest tenth."""
        idle = {chat for chat, buckets in self._chats.items() if all(b.full(now) for b in buckets)}
        for chat in idle.union(itertools.islice(self._chats, MOST_CHATS // 10)):
            del self._chats[chat]
        self._held_chats = {chat: at for chat, at in self._held_chats.items() if at > now}


def _bucket(rate: Rate | None, now: float) -> TokenBucket | None:
    return None if rate is None else TokenBucket(rate.count, rate.count / rate.seconds, now)
