"""Decides what an IRC client does on each line and at each time. Pure.

Lines and the monotonic time go in, outputs come out; what ends the connection is raised as the
``ChannelError`` that chooses what the supervisor does. Netsplits, bans and lag are therefore
tested without waiting. This module only orders the parts: registration, then the nick and the
login, then the channels.
"""

from __future__ import annotations

from typing import Any

from workers.channels.irc.config import IrcConfig
from workers.channels.irc.features import Features
from workers.channels.irc.identity import IrcIdentity
from workers.channels.irc.lines import Line, echo, line
from workers.channels.irc.outputs import (
    AccountReady,
    Output,
    PongReceived,
    Registered,
    SendLine,
    StatusChanged,
    Undelivered,
    Warned,
)
from workers.channels.irc.playback import Playback
from workers.channels.irc.registration import Registration, banned
from workers.channels.irc.rooms import Rooms
from workers.channels.irc.speech import read_speech, read_typing
from workers.channels.irc.texts import MAX_HOST_BYTES, MAX_USER_BYTES
from workers.errors import Transient

MOTD_SECONDS = 5.0  # after 001, for the features and the message of the day
READY_SECONDS = 10.0  # after 001 the account counts as ready whatever its channels say
_MOTD_END = frozenset({"376", "422"})
_SAID_NOW = frozenset({"001", "002", "003", "004", "PONG"})  # no bouncer repeats these

_SPEAKING = frozenset({"PRIVMSG", "NOTICE"})


class Conversation:
    """The state of one connection, from its first line to its end.

    ``now`` is the monotonic time in seconds, here and in all methods; ``epoch_ms`` is when the
    connection began by this host's clock.
    """

    def __init__(self, config: IrcConfig, now: float, epoch_ms: int = 0) -> None:
        self.features = Features()
        self.identity = IrcIdentity(config)
        self.rooms = Rooms(config)
        self.lag: float | None = None  # seconds of the last round trip
        self._config = config
        self._playback = Playback(epoch_ms)
        self._registration = Registration(config)
        self._register_by: float | None = now + config.connect_seconds
        self._settle_at: float | None = None  # when the MOTD counts as ended at the latest
        self._ready_by: float | None = None
        self._ping_at: float | None = None
        self._pinged_at: float | None = None  # while a ping is unanswered
        self._dead_at: float | None = None  # when an unanswered ping ends the connection
        self._pings = 0

    def start(self) -> list[Output]:
        """Return the outputs that begin the registration."""
        return self._registration.start()

    @property
    def registered(self) -> bool:
        """True once the server has accepted the registration."""
        return self._registration.done

    @property
    def tags(self) -> bool:
        """True while the server passes client tags on, such as that of typing."""
        return self._registration.enabled("message-tags")

    @property
    def due(self) -> float | None:
        """The time of the next ``on_timer``, in monotonic seconds; ``None``: none is needed."""
        times = [self._register_by, self._settle_at, self._ready_by, self._ping_at, self._dead_at]
        times += [self.identity.due, self.rooms.due]
        return min((at for at in times if at is not None), default=None)

    @property
    def mask_bytes(self) -> int:
        """The greatest length of the ``nick!user@host`` that the server puts before our text."""
        return self.identity.mask_bytes(MAX_USER_BYTES, MAX_HOST_BYTES)

    def detail(self) -> dict[str, Any]:
        """Return the state of the connection as fields for people."""
        identity = self.identity
        known: dict[str, Any] = {
            "nick": identity.nick,
            "network": self.features.network,
            "channels": self.rooms.detail(),
            "lagMs": None if self.lag is None else round(self.lag * 1000, 1),
            "loggedIn": identity.logged_in,
            "nickserv": identity.nickserv_text or None,
        }
        return {name: value for name, value in known.items() if value is not None}

    def summary(self) -> str:
        """Return the state of the connection as one line for a status row."""
        lag = [] if self.lag is None else [f"lag {self.lag * 1000:.0f} ms"]
        login = ["not logged in"] if self.identity.logged_in is False else []
        network = f" on {self.features.network}" if self.features.network else ""
        rooms = [f"{name} {state}" for name, state in self.rooms.detail().items()]
        return ", ".join([f"{self.identity.nick}{network}", *lag, *login, *rooms])

    def receive(self, got: Line, now: float) -> list[Output]:
        """Return the outputs for one line. Raises ``ChannelError`` when it ends the connection."""
        if got.command == "PING":
            pong = echo("PONG", *got.params)
            return [] if pong is None else [SendLine(pong, urgent=True)]
        if got.command == "BATCH":
            self._playback.on_batch(got)
            return []
        if got.command in _SAID_NOW:
            self._playback.sync_clock(got)
        if not self.registered:
            out = self._registration.receive(got)
            return [*out, *self._on_welcome(now)] if self.registered else out
        return [*self._receive_registered(got, now), *self._readiness(now)]

    def on_timer(self, now: float) -> list[Output]:
        """Return the outputs that are due. Raises ``Transient`` when an answer is overdue."""
        if self._register_by is not None and self._register_by <= now:
            raise Transient(f"not let in within {self._config.connect_seconds:g} s")
        if self._dead_at is not None and self._dead_at <= now:
            raise Transient(f"no answer to a ping for {self._config.ping_timeout_seconds:g} s")
        out: list[Output] = []
        if self._settle_at is not None and self._settle_at <= now:
            out += self._on_motd_end(now)
        out += [*self.identity.on_timer(now), *self.rooms.on_timer(now), *self._readiness(now)]
        if self._ping_at is not None and self._ping_at <= now:
            out += self._ping(now)
        return out

    def on_resumed(self, now: float) -> None:
        """Restart the wait for a ping's answer, which may be among lines not read yet."""
        if self._pinged_at is not None:
            self._dead_at = now + self._config.ping_timeout_seconds

    def _on_welcome(self, now: float) -> list[Output]:
        self._register_by = None
        self._settle_at = now + MOTD_SECONDS
        self._ready_by = now + READY_SECONDS
        self.identity.on_welcome(self._registration.nick)
        return [Registered(), *self._ping(now)]

    def _receive_registered(self, got: Line, now: float) -> list[Output]:
        match got.command:
            case "PRIVMSG" | "NOTICE":
                return self._receive_message(got, now)
            case "TAGMSG":
                typing = read_typing(got, self.identity.nick, self.features)
                return [] if typing is None else [typing]
            case _ if self._playback.is_batched(got):
                return []  # past joins and parts do not change the present members
            case "PONG":
                return self._pong(got, now)
            case "005":
                self._on_features(got)
                return []
            case "CAP":
                return self._registration.receive_later(got)
            case "FAIL" if got.param(0).upper() in _SPEAKING:
                targets = tuple(map(self.features.fold, got.params[2:-1]))
                return [Undelivered(targets, f"{got.param(1)} {got.text}")]
            case "WARN" | "NOTE":
                return [Warned(f"the server: {' '.join(got.params)}")]
            case command if command in _MOTD_END and self._settle_at is not None:
                return self._on_motd_end(now)
            case "ERROR":
                raise Transient(f"the server closed the connection: {got.text}")
            case "465":
                raise banned(got.text)
            case "KILL" if self._is_me(got.param(0)):
                raise Transient(f"killed by {got.nick}: {got.text}")
        if got.command == "JOIN" and self._is_me(got.nick):
            for name in got.param(0).split(","):
                self._playback.on_entered(self.features.fold(name), got)
        out = self.identity.receive(got, now)
        out += self.rooms.receive(got, self.identity.nick, now)
        return out or self._refusal(got)

    def _receive_message(self, got: Line, now: float) -> list[Output]:
        history = self._playback.is_history(got, self.features)
        said = read_speech(got, self.identity.nick, self.features, history=history)
        out: list[Output] = [] if said is None else [said]
        return out if history else [*out, *self.identity.receive(got, now)]

    def _on_features(self, got: Line) -> None:
        """Apply one line of features: there may be several, and more at any time."""
        text = bool(got.params) and " " in got.text  # "are supported by this server"
        self.features = self.features.updated(got.params[1 : -1 if text else None])
        self.identity.set_features(self.features)
        self.rooms.set_features(self.features)

    def _is_me(self, nick: str) -> bool:
        return self.features.fold(nick) == self.features.fold(self.identity.nick)

    def _refusal(self, got: Line) -> list[Output]:
        """Return an error about a target as the refusal of the message that was sent to it."""
        if got.command == "FAIL":
            return [Warned(f"the server refused: {' '.join(got.params)}")]
        if len(got.params) < 3 or not got.command.isdigit() or got.command[0] not in "457":
            return []
        return [Undelivered((self.features.fold(got.param(1)),), f"{got.command} {got.text}")]

    def _on_motd_end(self, now: float) -> list[Output]:
        """Return the outputs after the message of the day: login, nick and bot mode."""
        self._settle_at = None
        out = self.identity.start(now, self.features)
        if self.features.bot_mode is not None:
            # IRCv3 bot mode: other robots and the clients of people see that this is a robot.
            out.append(SendLine(line("MODE", self.identity.nick, f"+{self.features.bot_mode}")))
        return [*out, StatusChanged()]

    def _readiness(self, now: float) -> list[Output]:
        out: list[Output] = []
        introduced = self.registered and self._settle_at is None
        if introduced and self.identity.settled and not self.rooms.started:
            out += self.rooms.start(now, self.features)
        if self._ready_by is not None and (self.rooms.settled or self._ready_by <= now):
            self._ready_by = None
            out.append(AccountReady())
        return out

    def _ping(self, now: float) -> list[Output]:
        self._ping_at = None
        self._pinged_at = now
        self._dead_at = now + self._config.ping_timeout_seconds
        self._pings += 1
        return [SendLine(line("PING", f"lag-{self._pings}"), urgent=True)]

    def _pong(self, got: Line, now: float) -> list[Output]:
        if self._pinged_at is None or got.text != f"lag-{self._pings}":
            return [PongReceived(got.text)]
        self.lag = now - self._pinged_at
        self._pinged_at = self._dead_at = None
        self._ping_at = now + self._config.ping_seconds
        return [StatusChanged()]
