"""Define and check the configuration of one IRC account. Pure.

It imports no networking, so that the supervisor and the command line can check a file without
loading the client. Seconds are floats. What a field may hold is checked by its type where a
type can express it, else by ``__post_init__``, whose ``ValueError`` becomes a configuration
error that names the account.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ipc.hosts import wrong_host
from workers.channels.irc.names import CHANNEL_TYPES, valid_channel, valid_nick
from workers.plugin import LOCAL

TLS_PORT = 6697  # RFC 7194
PLAIN_PORT = 6667

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]


class Sasl(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Login by SASL PLAIN, before the server shows the account to others."""

    user: str
    password: str

    def __post_init__(self) -> None:
        """Refuse what PLAIN cannot carry (RFC 4616: no NUL, nothing empty)."""
        _refuse(
            f"{name} must not be empty and must not contain a NUL"
            for name, value in (("sasl.user", self.user), ("sasl.password", self.password))
            if not value or "\0" in value
        )


class Nickserv(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Login by a message to NickServ, for networks without SASL.

    ``on_collision`` is the command that takes the nick back from its holder: ``regain`` also
    renames the account, after ``ghost`` the account renames itself, ``none`` sends no command
    and waits until the nick is free.
    """

    password: str
    account: str | None = None  # None: the nick itself
    service: Annotated[str, LOCAL] = "NickServ"  # who is sent the password
    on_collision: Literal["ghost", "regain", "none"] = "ghost"

    def __post_init__(self) -> None:
        """Refuse values that would break the one line in which they are sent."""
        words = {"password": self.password, "service": self.service, "account": self.account}
        _refuse(
            text
            for name, word in words.items()
            if word is not None
            for text in _no_word(f"nickserv.{name}", word)
        )


class IrcConfig(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """One account on one IRC server. Only ``server`` and ``nick`` have no default."""

    server: Annotated[str, LOCAL]
    nick: str
    port: Annotated[Port | None, LOCAL] = None  # None: 6697 with TLS, 6667 without
    tls: Annotated[bool, LOCAL] = True
    tls_verify: Annotated[bool, LOCAL] = True
    tls_ca_file: Annotated[str | None, LOCAL] = (
        None  # beside the system's authorities, for a private network
    )
    username: str | None = None  # None: "trunkline"
    realname: str | None = None  # None: the nick
    password: str | None = None  # of the server itself (PASS)
    sasl: Sasl | None = None
    nickserv: Nickserv | None = None
    channels: list[str] = []  # "#name" or "#name key"
    notice: bool = False  # send by NOTICE, which no robot answers (RFC 2812 3.3.2)
    # The classic servers forgive 5 messages at once and one every 2 s; more is "Excess Flood".
    flood_burst: Annotated[int, Meta(ge=1, le=100)] = 4
    flood_rate: Annotated[float, Meta(gt=0, le=100)] = 0.5  # messages per second
    max_lines: Annotated[int, Meta(ge=1, le=1000)] = 40  # of one message; more is refused
    # Together with the 10 s for the first joins below the 30 s that a worker has to be ready.
    connect_seconds: Seconds = 18.0  # until the server accepts the registration
    ping_seconds: Seconds = 60.0  # between two pings of ours
    ping_timeout_seconds: Seconds = 45.0  # without an answer: the connection is dead
    rejoin_seconds: Seconds = 5.0  # after a kick or a netsplit; doubles with each kick
    retry_seconds: Seconds = 300.0  # after a ban, a wrong key, an invite-only channel
    regain_seconds: Seconds = 60.0  # between two tries to get the wanted nick back
    quit_message: str = "Trunkline"

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the fields."""
        _refuse([*self._wrong_fields(), *self._wrong_channels()])

    def _wrong_fields(self) -> Iterator[str]:
        if (wrong := wrong_host(self.server)) is not None:
            yield f"server {self.server!r} {wrong}"
        else:
            yield from _no_word("server", self.server)
        if not valid_nick(self.nick):
            yield (
                f"nick {self.nick!r} must start with a letter or one of []\\`_^{{|}} and hold only"
                " these, digits and -"
            )
        if self.username is not None:
            yield from _no_word("username", self.username, forbidden="@!")
        for name in ("realname", "password", "quit_message"):
            value = getattr(self, name)
            if value is not None and any(character in value for character in "\r\n\0"):
                yield f"{_camel(name)} must be one line"
        if self.sasl is not None and self.nickserv is not None:
            yield "sasl and nickserv are two ways to log in: set one of them"

    def _wrong_channels(self) -> Iterator[str]:
        seen = set()
        for name, key in map(room_and_key, self.channels):
            if not valid_channel(name):
                shown = name.replace(secret_of_room(name) or "\0", "…")
                yield (
                    f"channels: {shown!r} must start with one of {CHANNEL_TYPES} and hold no space,"
                    " comma or control character; a key stands behind a space"
                )
            elif name.lower() in seen:
                yield f"channels: {name} is listed twice"
            if key is not None:
                yield from _no_word(f"channels: the key of {name}", key, forbidden=",")
            seen.add(name.lower())

    @property
    def address(self) -> tuple[str, int]:
        """The host and port to connect to."""
        return self.server, self.port or (TLS_PORT if self.tls else PLAIN_PORT)


def room_and_key(entry: str) -> tuple[str, str | None]:
    """Split an entry of ``channels`` into the name and the key, ``None`` when there is none."""
    name, _, key = entry.strip().partition(" ")
    return name, key.strip() or None


def secret_of_room(entry: str) -> str | None:
    """Return what is secret in an entry of ``channels``: all behind the name, its key.

    Also in an entry that is wrong, like ``#name,key``: it may be shown before it is corrected.
    """
    found = re.search(r"[\s,]+(.+)", entry.strip(), re.DOTALL)
    return found[1] if found else None


def _refuse(wrong: Iterable[str]) -> None:
    """Raise one ``ValueError`` for all that is wrong, if anything is."""
    if text := "; ".join(wrong):
        raise ValueError(text)


def _no_word(name: str, value: str, forbidden: str = "") -> Iterator[str]:
    """Yield a complaint when ``value`` is not one word."""
    bad = any(c.isspace() or c == "\0" or c in forbidden for c in value)
    if not value or bad or value.startswith(":"):
        also = f" or any of {forbidden}" if forbidden else ""
        yield f"{_camel(name)} must be one word, without spaces{also} or a leading ':'"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
