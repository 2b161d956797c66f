"""Replays to a client the events that it missed, as fast as it reads them.

The last ones are in the rings, those before them in the journal. Both leave in the same pieces, so
small that the client's connection never counts as behind: whatever the limits of unread output
are, a replay closes no client that reads, and no worker is held back for it. What comes meanwhile
is replayed too. The subscription begins in the turn of the event loop in which nothing is left.

While the journal cannot be read, nobody knows what a client has missed of its accounts, and nothing
new comes from them. So the subscription begins without that, and is made again when it can be read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

import msgspec

from ipc.errors import PeerGone
from ipc.frames.cursors import Cursor, cursor_text, has_all_after
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.accounts.event_positions import EventPositions
from runtime.gateway.accounts.fanout import GAP, event_frame, event_of
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.ring import Rings

# Unread by one client, but for a single longer event. It is the library's limit of a connection's
# write buffer, beyond which it counts as behind; the kernel's buffer is before that.
UNREAD_BYTES = 32 * 1024
TURN_BYTES = 256 * 1024  # sent in one turn of the event loop, to a client whose kernel takes them
READ_BYTES = 128 * 1024  # read from the journal at once: it waits here until the client reads
GAP_BYTES = 128  # about what a gap takes
READ_SECONDS = 30.0  # in which a client reads some of what it is sent
READ_PAUSE, LONGEST_PAUSE = 0.005, 0.1  # seconds between two checks of what it has read


Resume = Callable[[ClientView, dict[str, Cursor]], None]


class Replays:
    """Creates the replays of a gateway. In one turn of the event loop one of them sends.

    ``postpone`` keeps what has to wait until the journal can be read.
    """

    def __init__(self, rings: Rings, intake: Intake, positions: EventPositions) -> None:
        self.rings = rings
        self.intake = intake
        self.positions = positions
        self.turns = asyncio.Lock()
        self._of_client: WeakKeyDictionary[ClientView, asyncio.Lock] = WeakKeyDictionary()
        self._postponed: WeakKeyDictionary[ClientView, tuple[dict[str, Cursor], Resume]]
        self._postponed = WeakKeyDictionary()
        intake.follow(self._on_ready)

    def in_order(self, client: ClientView) -> asyncio.Lock:
        """Return the lock of a client's subscriptions: a later one waits for the replay before."""
        lock = self._of_client.get(client)
        if lock is None:
            lock = self._of_client[client] = asyncio.Lock()
        return lock

    def of(self, client: ClientView, events: frozenset[str], after: Mapping[str, Cursor]) -> Replay:
        """Return the replay of these events to a client, ``after`` a cursor of each account."""
        return Replay(self, client, events, after)

    def postpone(self, client: ClientView, after: dict[str, Cursor], resume: Resume) -> None:
        """Call ``resume(client, after)`` when the journal can be read, before anything new comes.

        ``resume`` holds no reference to the client, which may be gone by then.
        """
        self._postponed[client] = after, resume

    def pop_postponed(self, client: ClientView) -> dict[str, Cursor]:
        """Return what was postponed for a client, which another subscription replaces."""
        found = self._postponed.pop(client, None)
        return {} if found is None else found[0]

    def _on_ready(self) -> None:
        for client, (after, resume) in [*self._postponed.items()]:
            if client.connection.open:
                resume(client, after)
        self._postponed.clear()


class _Reached(msgspec.Struct):
    """How far the replay of one account has come: to ``cursor``, of which ``after`` was sent last.

    ``read``: some of it came from the journal. ``complete``: nothing was missing. ``unknown``:
    that nothing is known of the account was considered, ``placed``: its stored position was.
    """

    key: str
    cursor: Cursor
    after: Cursor
    read: bool = False
    complete: bool = True
    unknown: bool = False
    placed: bool = False


class Replay:
    """One replay to one client; ``sent`` counts the events."""

    def __init__(
        self,
        replays: Replays,
        client: ClientView,
        events: frozenset[str],
        after: Mapping[str, Cursor],
    ) -> None:
        self.sent = 0
        self._rings, self._intake = replays.rings, replays.intake
        self._positions, self._turns = replays.positions, replays.turns
        self._client = client
        self._connection = client.connection
        self._events = events
        self._accounts = [_Reached(key, cursor, cursor) for key, cursor in after.items()]
        self._left = 0  # bytes that may be sent in this turn

    @property
    def unread(self) -> dict[str, Cursor]:
        """The cursors of the accounts whose events may be in a journal that cannot be read yet."""
        return {each.key: each.cursor for each in self._accounts if self._is_unread(each)}

    @property
    def gaps(self) -> list[str]:
        """The accounts of which more was missed than could be sent."""
        return [each.key for each in self._accounts if not each.complete]

    async def run(self, subscribe: Callable[[], None]) -> None:
        """Send everything that was missed; call ``subscribe`` in the turn that ends it.

        Raises ``PeerGone`` if the client goes, or is closed because it does not read.
        """
        while True:
            for each in self._accounts:
                self._check_place(each)
                if self._is_behind(each):
                    await self._send_page(each)
            async with self._turns:
                self._check_open()
                if self._send_kept():
                    subscribe()
                    return
                await asyncio.sleep(0)
            await self._until_read()

    def _check_place(self, reached: _Reached) -> None:
        """Send a gap to a client that has had more than the journal, which was an older copy."""
        place = self._intake.stored_place(reached.key)
        if place is None or reached.placed:
            return
        reached.placed = True
        if self._positions.is_beyond(reached.key, reached.cursor):
            self._lacks(reached, None)
            reached.cursor = place.newest

    def _is_unread(self, reached: _Reached) -> bool:
        """Return whether the journal cannot be read yet, which may have what precedes the ring."""
        intake = self._intake
        if not intake.is_unread or not intake.is_stored(reached.key):
            return False
        return not self._rings.reaches(reached.key, reached.cursor)

    def _is_behind(self, reached: _Reached) -> bool:
        """Return whether the journal has events that precede those in the ring."""
        place = self._intake.stored_place(reached.key)
        if place is None or self._rings.reaches(reached.key, reached.cursor):
            return False
        return not reached.read or place.newest > reached.cursor

    async def _send_page(self, reached: _Reached) -> None:
        """Send the next stored events of an account."""
        journal, place = self._intake.journal, self._intake.stored_place(reached.key)
        if journal is None or place is None:
            return
        page = await journal.after(reached.key, reached.cursor, READ_BYTES)
        complete = page.complete
        if reached.read:  # only what was removed meanwhile can be missing
            complete = place.floor is None or place.floor <= reached.cursor
        if not complete:
            first = page.parts[0] if page.parts else None
            self._lacks(reached, None if first is None else (first[0], first[2].first))
        reached.read = True
        found = deque(
            ((incarnation, number), payload)
            for incarnation, _, part in page.parts
            for number, payload in enumerate(part.payloads, part.first)
        )
        while found:
            async with self._turns:
                self._check_open()
                self._left = TURN_BYTES
                self._send(reached, found)
                await asyncio.sleep(0)
            await self._until_read()
        if not page.more:
            reached.cursor = max(reached.cursor, place.newest)  # what ends it may be repeated

    def _send_kept(self) -> bool:
        """Send from the rings what this turn has room for; return whether nothing is left."""
        self._left = TURN_BYTES
        for each in self._accounts:
            if self._is_behind(each):
                return False
            if self._is_unread(each):
                continue
            if self._check(each) and (self._left <= 0 or not self._has_room()):
                return False
            while found := self._rings.following(each.key, each.cursor, UNREAD_BYTES):
                self._send(each, waiting := deque(found))
                if waiting:
                    return False
        return True

    def _send(self, reached: _Reached, waiting: deque[tuple[Cursor, bytes]]) -> None:
        """Send the first of the waiting events, while this turn and the client have room."""
        while waiting and self._left > 0 and self._has_room():
            room = UNREAD_BYTES - self._connection.buffered_bytes
            frames: list[bytes] = []
            size = 0
            while waiting:
                cursor, payload = waiting[0]
                if (event := event_of(payload)) in self._events:
                    framed = event_frame(event, payload)
                    if frames and size + len(framed) > room:
                        break
                    frames.append(framed)
                    size += len(framed)
                reached.cursor = reached.after = cursor
                waiting.popleft()
            if frames:
                self._client.end_young()  # the next gateway would replay it all from the beginning
                self._connection.send_framed(b"".join(frames))
                self.sent += len(frames)
                self._left -= size

    def _has_room(self) -> bool:
        """Return whether the client may be sent a piece; write what is queued where it matters."""
        connection = self._connection
        if connection.buffered_bytes > UNREAD_BYTES // 2:
            if connection.paused:
                return False
            connection.write_out()  # the kernel may take it at once
        return not connection.paused and connection.buffered_bytes <= UNREAD_BYTES // 2

    async def _until_read(self) -> None:
        """Wait until the client has room again; close one that reads nothing for long."""
        connection, loop = self._connection, asyncio.get_running_loop()
        pause, before, since = READ_PAUSE, connection.buffered_bytes, loop.time()
        while not self._has_room():
            self._check_open()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            left, now = connection.buffered_bytes, loop.time()
            if left < before:
                since = now
            elif now - since >= READ_SECONDS:
                connection.cut_off()
            before = left
        self._check_open()

    def _check_open(self) -> None:
        if not self._connection.open:
            raise PeerGone("the client", maybe_executed=False)

    def _check(self, reached: _Reached) -> bool:
        """Send a gap if neither ring nor journal has what comes next; return whether it is one."""
        key, cursor = reached.key, reached.cursor
        if self._rings.reaches(key, cursor) or self._intake.stored_place(key) is not None:
            return False
        floor = self._rings.floor(key)
        if floor is None and reached.unknown:
            return False
        lacks = not has_all_after(floor, cursor) and self._positions.of(key) != cursor
        if lacks:
            self._lacks(reached, self._rings.oldest(key))
        if floor is None:
            reached.unknown = True
        else:
            reached.cursor = floor
        return lacks

    def _lacks(self, reached: _Reached, oldest: Cursor | None) -> None:
        """Send the client a gap: events before ``oldest`` are missing."""
        reached.complete = False
        self._left -= GAP_BYTES
        self._client.end_young()
        gap = {"account": reached.key, "after": cursor_text(reached.after)}
        if oldest is not None:
            gap["oldest"] = cursor_text(oldest)
        self._client.send_unnumbered(GAP, gap)
