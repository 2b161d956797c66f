"""Joins the configured channels, and rejoins them after kicks, bans and netsplits. Pure.

Lines and the time go in, JOINs come out. A channel that cannot be joined never fails the
account; ``detail`` shows the reason, and it is tried again: soon after what passes by itself
(a kick, a netsplit), slowly after what an operator decided (a ban, a key, an invitation).

A *room* is an IRC channel; the word channel means a platform elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from ipc.hidden_fields import hide_fields
from workers.channels.irc.config import IrcConfig, room_and_key
from workers.channels.irc.features import Features
from workers.channels.irc.lines import Line, line
from workers.channels.irc.outputs import Output, SendLine, StatusChanged, Warned

ANSWER_SECONDS = 60.0  # a JOIN without any answer is sent again
_JOIN_BYTES = 400  # of names and keys in one JOIN
_JOIN_NAMES = 8  # in one JOIN; servers limit the targets of a command
_SHORT = frozenset({"437", "495"})  # after a netsplit, too early after a kick
_REASONS = {
    "403": "no such channel",
    "405": "in too many channels",
    "437": "unavailable after a netsplit",
    "470": "forwarded to another channel",
    "471": "full",
    "473": "invite only",
    "474": "banned",
    "475": "wrong or missing key",
    "476": "the server takes no such name",
    "477": "only for logged-in nicks",
    "489": "only for TLS clients",
    "495": "too early after a kick",
    "520": "only for operators",
}


@hide_fields("key")
class Room(msgspec.Struct):
    """One IRC channel. ``due`` is the time of the next JOIN, in monotonic seconds.

    ``reason`` is why it is out, and how often it is tried again.
    """

    name: str
    key: str | None = None
    configured: bool = True
    state: Literal["joining", "joined", "out"] = "out"
    reason: str = ""
    due: float | None = None
    since: float = 0.0  # when it was joined
    setbacks: int = 0  # kicks and the like in a row

    def __str__(self) -> str:
        if self.state == "joined":
            return "joined" if self.configured else "joined (not configured)"
        return self.reason or self.state


class Rooms:
    """All IRC channels of one connection. Call ``start`` once the server's features are known."""

    def __init__(self, config: IrcConfig) -> None:
        self.started = False
        self._config = config
        self._features = Features()
        self._rooms: dict[str, Room] = {}

    def start(self, now: float, features: Features) -> list[Output]:
        """Return the JOINs of all configured channels."""
        self.started = True
        self._features = features
        for name, key in map(room_and_key, self._config.channels):
            self._rooms[features.fold(name)] = Room(name, key)
        return self._join(self._rooms.values(), now)

    def set_features(self, features: Features) -> None:
        """Set the features of the server, by whose case mapping names are compared."""
        self._features = features
        self._rooms = {features.fold(room.name): room for room in self._rooms.values()}

    @property
    def settled(self) -> bool:
        """True when every JOIN has been answered."""
        return self.started and all(room.state != "joining" for room in self._rooms.values())

    @property
    def due(self) -> float | None:
        """The time of the next ``on_timer``, in monotonic seconds; ``None``: none is needed."""
        return min((r.due for r in self._rooms.values() if r.due is not None), default=None)

    def detail(self) -> dict[str, str]:
        """Return the state of every channel in words, by name."""
        return {room.name: str(room) for room in self._rooms.values()}

    def obstacle(self, name: str) -> str | None:
        """Return why no message can be sent to the configured channel ``name`` now, or ``None``."""
        room = self._rooms.get(self._features.fold(name))
        return None if room is None or room.state == "joined" else str(room)

    def on_timer(self, now: float) -> list[Output]:
        """Return the JOINs that are due."""
        due = [r for r in self._rooms.values() if r.due is not None and r.due <= now]
        return self._join(due, now)

    def receive(self, got: Line, me: str, now: float) -> list[Output]:
        """Return the outputs for one line; ``me`` is the client's present nick."""
        fold = self._features.fold
        mine = fold(got.nick) == fold(me)
        match got.command:
            case "JOIN" if mine:
                return [out for name in _listed(got) for out in self._on_joined(name, now)]
            case "KICK" if fold(got.param(1)) == fold(me):
                reason = f"kicked by {got.nick}: {got.param(2)}".rstrip(": ")
                return self._on_left(got.param(0), reason, now)
            case "PART" if mine:
                reason = f"parted: {got.param(1)}".rstrip(": ")
                return [out for name in _listed(got) for out in self._on_left(name, reason, now)]
            case "FAIL" if got.param(0).upper() == "JOIN":
                return self._on_failed(got, now)
            case "INVITE":
                room = self._rooms.get(fold(got.text))
                return self._join([room], now) if room and room.state != "joined" else []
            case numeric if numeric.isdigit():
                return self._on_refused(got, now)
        return []

    def _on_joined(self, name: str, now: float) -> list[Output]:
        room = self._rooms.setdefault(self._features.fold(name), Room(name, configured=False))
        room.state, room.reason, room.due, room.since = "joined", "", None, now
        return [StatusChanged()]

    def _on_left(self, name: str, reason: str, now: float) -> list[Output]:
        key = self._features.fold(name)
        room = self._rooms.get(key)
        if room is None:
            return []
        if not room.configured:
            del self._rooms[key]
            return [StatusChanged()]
        if room.state == "joined" and now - room.since > self._config.retry_seconds:
            room.setbacks = 0
        return self._mark_out(room, reason, self._retry_delay(room), now)

    def _on_refused(self, got: Line, now: float) -> list[Output]:
        room = self._rooms.get(self._features.fold(got.param(1)))
        # 4xx and 5xx are errors (RFC 2812 5.2); while a JOIN is open they are its answer.
        if room is None or room.state != "joining" or got.command[0] not in "45":
            return []
        reason = f"{_REASONS.get(got.command, 'refused')} ({got.command} {got.text})"
        after = self._retry_delay(room) if got.command in _SHORT else self._config.retry_seconds
        return self._mark_out(room, reason, after, now)

    def _on_failed(self, got: Line, now: float) -> list[Output]:
        """Handle a standard reply to a JOIN: ``FAIL JOIN code context… :text``."""
        for name in got.params[2:-1]:
            room = self._rooms.get(self._features.fold(name))
            if room is not None and room.state == "joining":
                reason = f"refused ({got.param(1)} {got.text})"
                return self._mark_out(room, reason, self._config.retry_seconds, now)
        return []

    def _retry_delay(self, room: Room) -> float:
        """Return the seconds until the next try after a setback; doubles up to the slow pace."""
        config = self._config
        # 2.0**20 s is beyond every ``retry_seconds``; more would overflow at last.
        after = config.rejoin_seconds * 2.0 ** min(room.setbacks, 20)
        room.setbacks += 1
        return min(after, max(config.retry_seconds, config.rejoin_seconds))

    def _mark_out(self, room: Room, reason: str, after: float, now: float) -> list[Output]:
        room.state, room.due = "out", now + after
        room.reason = f"{reason}; tried again every {after:g} s"
        return [Warned(f"{room.name}: {reason}; next try in {after:g} s"), StatusChanged()]

    def _join(self, rooms: Iterable[Room], now: float) -> list[Output]:
        # Keys belong to the first names of a JOIN, so channels with a key come first.
        chosen = sorted(rooms, key=lambda room: room.key is None)
        for room in chosen:
            room.state, room.due = "joining", now + ANSWER_SECONDS
        return [SendLine(join) for join in _joins(chosen)]


def _listed(got: Line) -> list[str]:
    """Return the channels of a JOIN or PART: a server should not send several, but may."""
    return [name for name in got.param(0).split(",") if name]


def _joins(rooms: Sequence[Room]) -> Iterator[str]:
    """Yield JOIN lines for all rooms, as few as servers accept."""
    batch: list[Room] = []
    for room in rooms:
        if len(batch) == _JOIN_NAMES or _bytes([*batch, room]) > _JOIN_BYTES:
            yield _one_join(batch)
            batch = []
        batch.append(room)
    if batch:
        yield _one_join(batch)


def _bytes(rooms: Sequence[Room]) -> int:
    return sum(len(f"{room.name},{room.key or ''},".encode()) for room in rooms)


def _one_join(rooms: Sequence[Room]) -> str:
    keys = [room.key for room in rooms if room.key is not None]
    names = ",".join(room.name for room in rooms)
    return line("JOIN", names, ",".join(keys)) if keys else line("JOIN", names)
