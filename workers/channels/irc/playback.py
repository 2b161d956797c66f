"""Distinguishes replayed messages (bouncer playback) from live ones. Pure.

At every connection, a bouncer or a server with channel history repeats earlier messages as
ordinary ones. A batch (IRCv3 chathistory, ZNC playback) marks them; without one, a message is
history if its server time is before our connection or our entry into its channel. Both times are
the server's, so that a wrong clock of this host changes nothing, and a message that waited unread
does not count as old.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from workers.channels.irc.features import Features
from workers.channels.irc.lines import Line

HISTORY_BATCHES = frozenset({"chathistory", "draft/chathistory", "znc.in/playback", "playback"})
MAX_OPEN_BATCHES = 100  # the oldest is forgotten: a server may never end them
SLACK_MS = 1_000  # servers of one network disagree a little
UNKNOWN_CLOCK_MS = 60_000  # how far this host's clock may be ahead, where the server's is unknown


class Playback:
    """Recognizes history on one connection, which began at ``epoch_ms`` by this host's clock."""

    def __init__(self, epoch_ms: int) -> None:
        self._began_ms = epoch_ms - UNKNOWN_CLOCK_MS
        self._learnt = False
        self._entered_ms: dict[str, int] = {}  # by channel, folded
        self._batches: OrderedDict[str, bool] = OrderedDict()  # the open ones: is it history?

    def on_batch(self, got: Line) -> None:
        """Handle a BATCH line: ``+reference type …`` begins a batch, ``-reference`` ends it."""
        sign, reference = got.param(0)[:1], got.param(0)[1:]
        if sign == "+":
            within = self._batches.get(got.tags.get("batch", ""), False)
            self._batches[reference] = within or got.param(1).lower() in HISTORY_BATCHES
            if len(self._batches) > MAX_OPEN_BATCHES:
                self._batches.popitem(last=False)
        elif sign == "-":
            self._batches.pop(reference, None)

    def sync_clock(self, got: Line) -> None:
        """Set the server's clock by the first line that is certainly live."""
        at = server_time(got)
        if at is not None and not self._learnt:
            self._began_ms, self._learnt = at, True

    def on_entered(self, room: str, got: Line) -> None:
        """Record that we have entered ``room`` (folded) by the JOIN ``got``."""
        at = server_time(got)
        if at is not None:
            self._entered_ms[room] = at

    def is_batched(self, got: Line) -> bool:
        """Return whether a line is part of a batch of history."""
        return self._batches.get(got.tags.get("batch", ""), False)

    def is_history(self, got: Line, features: Features) -> bool:
        """Return whether a message is from before our connection or entry into its channel."""
        if self.is_batched(got):
            return True
        at = server_time(got)
        if at is None:
            return False
        room = features.room_of(got.param(0))
        entered = self._began_ms
        if room is not None:
            entered = max(entered, self._entered_ms.get(features.fold(room), entered))
        return at < entered - SLACK_MS


def server_time(got: Line) -> int | None:
    """Return the tag ``time`` (IRCv3 server-time) in epoch ms; ``None`` when it is not a time."""
    try:
        return max(0, round(datetime.fromisoformat(got.tags["time"]).timestamp() * 1000))
    except (KeyError, ValueError, OverflowError, OSError):
        return None
