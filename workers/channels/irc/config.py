"""The configuration of one IRC account, and every way in which it can be wrong.

Imports no networking, so that the supervisor and the command line can check a file without
loading the client. Seconds are floats. What a field may hold is said by its type where a type
can say it, else by ``__post_init__``, whose ``ValueError`` becomes a configuration error that
names the account.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workers.channels.irc.names import CHANNEL_TYPES, valid_channel, valid_nick

TLS_PORT = 6697  # RFC 7194
PLAIN_PORT = 6667

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]


class Sasl(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Login by SASL PLAIN, before the server lets anybody see the account."""

    user: str
    password: str

    def __post_init__(self) -> None:
        """Refuse what PLAIN cannot carry (RFC 4616: no NUL, nothing empty)."""
        for name, value in (("sasl.user", self.user), ("sasl.password", self.password)):
            if not value or "\0" in value:
                raise ValueError(f"{name} must not be empty and must not contain a NUL")


class Nickserv(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Login by a message to NickServ, for networks without SASL.

    ``on_collision`` is the command that takes the nick back from whoever holds it; ``regain``
    also renames us, after ``ghost`` we rename ourselves, ``none`` only waits until it is free.
    """

    password: str
    account: str | None = None  # None: the nick itself
    service: str = "NickServ"
    on_collision: Literal["ghost", "regain", "none"] = "ghost"

    def __post_init__(self) -> None:
        """Refuse what would break the one line that these are sent in."""
        _one_word("nickserv.password", self.password)
        _one_word("nickserv.service", self.service)
        if self.account is not None:
            _one_word("nickserv.account", self.account)


class IrcConfig(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """One account on one IRC server. ``server`` and ``nick`` are all it needs."""

    server: str
    nick: str
    port: Port | None = None  # None: 6697 with TLS, 6667 without
    tls: bool = True
    tls_verify: bool = True
    tls_ca_file: str | None = None  # beside the system's authorities, for a private network
    username: str | None = None  # None: "trunkline"
    realname: str | None = None  # None: the nick
    password: str | None = None  # of the server itself (PASS)
    sasl: Sasl | None = None
    nickserv: Nickserv | None = None
    channels: list[str] = []  # "#name" or "#name key"
    notice: bool = False  # speak by NOTICE, which no robot answers (RFC 2812 3.3.2)
    # The classic servers forgive 5 messages at once and one every 2 s; more is "Excess Flood".
    flood_burst: Annotated[int, Meta(ge=1, le=100)] = 4
    flood_rate: Annotated[float, Meta(gt=0, le=100)] = 0.5  # messages per second
    max_lines: Annotated[int, Meta(ge=1, le=1000)] = 40  # of one message; more is refused
    # Together with the 10 s for the first joins below the 30 s that a worker has to be ready.
    connect_seconds: Seconds = 18.0  # until the server has let us in
    ping_seconds: Seconds = 60.0  # between two pings of ours
    ping_timeout_seconds: Seconds = 45.0  # without an answer: the connection is dead
    rejoin_seconds: Seconds = 5.0  # after a kick or a netsplit; doubles with each kick
    retry_seconds: Seconds = 300.0  # after a ban, a wrong key, an invite-only channel
    regain_seconds: Seconds = 60.0  # between two tries to get the wanted nick back
    quit_message: str = "Trunkline"

    def __post_init__(self) -> None:
        """Check what the types cannot say. Raises ``ValueError`` with the field's name."""
        _one_word("server", self.server)
        if not valid_nick(self.nick):
            raise ValueError(
                f"nick {self.nick!r} must start with a letter or one of []\\`_^{{|}} and hold only"
                " these, digits and -"
            )
        if self.username is not None:
            _one_word("username", self.username, forbidden="@!")
        for name in ("realname", "password", "quit_message"):
            _one_line(name, getattr(self, name))
        if self.sasl is not None and self.nickserv is not None:
            raise ValueError("sasl and nickserv are two ways to log in: set one of them")
        self._check_channels()

    def _check_channels(self) -> None:
        seen = set()
        for name, key in map(room_and_key, self.channels):
            if not valid_channel(name):
                raise ValueError(
                    f"channels: {name!r} must start with one of {CHANNEL_TYPES} and hold no space,"
                    " comma or control character; a key stands behind a space"
                )
            if key is not None:
                _one_word(f"channels: the key of {name}", key, forbidden=",")
            if name.lower() in seen:
                raise ValueError(f"channels: {name} is listed twice")
            seen.add(name.lower())

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.server, self.port or (TLS_PORT if self.tls else PLAIN_PORT)


def room_and_key(entry: str) -> tuple[str, str | None]:
    """Split an entry of ``channels`` into the name and the key, if there is one."""
    name, _, key = entry.strip().partition(" ")
    return name, key.strip() or None


def _one_line(name: str, value: str | None) -> None:
    if value is not None and any(character in value for character in "\r\n\0"):
        raise ValueError(f"{_camel(name)} must be one line")


def _one_word(name: str, value: str, forbidden: str = "") -> None:
    bad = any(c.isspace() or c == "\0" or c in forbidden for c in value)
    if not value or bad or value.startswith(":"):
        also = f" or any of {forbidden}" if forbidden else ""
        raise ValueError(f"{_camel(name)} must be one word, without spaces{also} or a leading ':'")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
