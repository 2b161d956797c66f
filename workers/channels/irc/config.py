"""Defines and checks the configuration of one IRC account. Pure.

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

from ipc.hidden_fields import hide_fields
from ipc.hosts import wrong_host
from ipc.secret_patterns import masked_command
from workers.channels.irc.names import CHANNEL_TYPES, valid_channel, valid_nick
from workers.plugin import LOCAL

TLS_PORT = 6697  # RFC 7194
PLAIN_PORT = 6667

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]


@hide_fields("password")
class Sasl(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Login by SASL PLAIN, before the server shows the account to others."""

    user: Annotated[str, Meta(description="The name of the services account that logs in.")]
    password: Annotated[
        str,
        Meta(
            description="Its password, sent by SASL PLAIN before the account is visible to others."
        ),
    ]

    def __post_init__(self) -> None:
        """Refuse what PLAIN cannot carry (RFC 4616: no NUL, nothing empty)."""
        _refuse(
            f"{name} must not be empty and must not contain a NUL"
            for name, value in (("sasl.user", self.user), ("sasl.password", self.password))
            if not value or "\0" in value
        )


@hide_fields("password")
class Nickserv(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Login by a message to NickServ, for networks without SASL.

    ``on_collision`` is the command that takes the nick back from its holder: ``regain`` also
    renames the account, after ``ghost`` the account renames itself, ``none`` sends no command
    and waits until the nick is free.
    """

    password: Annotated[
        str, Meta(description="The password for NickServ, sent once the account is connected.")
    ]
    account: Annotated[
        str | None, Meta(description="The services account to log in to; without it the nick.")
    ] = None
    service: Annotated[
        str,
        LOCAL,
        Meta(description="The nick of the network's login service, which is sent the password."),
    ] = "NickServ"
    on_collision: Annotated[
        Literal["ghost", "regain", "none"],
        Meta(
            description="How a nick in use is recovered: by `regain`, by `ghost` and a change "
            "of nick, or not at all."
        ),
    ] = "ghost"

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

    server: Annotated[str, LOCAL, Meta(description="Name or address of the IRC server.")]
    nick: Annotated[
        str,
        Meta(
            description="The nick that the account wants; while it is in use the account has "
            "another one."
        ),
    ]
    port: Annotated[
        Port | None,
        LOCAL,
        Meta(description="Port of the server; without it 6697 with TLS and 6667 without."),
    ] = None
    tls: Annotated[bool, LOCAL, Meta(description="Whether the connection is encrypted.")] = True
    tls_verify: Annotated[
        bool,
        LOCAL,
        Meta(description="Whether the server's certificate must be valid for its name."),
    ] = True
    tls_ca_file: Annotated[
        str | None,
        LOCAL,
        Meta(
            description="File of certificate authorities (PEM) to trust beside the system's, "
            "for a private network."
        ),
    ] = None
    username: Annotated[
        str | None,
        Meta(description="The user name sent to the server; without it `trunkline`."),
    ] = None
    realname: Annotated[
        str | None, Meta(description="The real name that `/whois` shows; without it the nick.")
    ] = None
    password: Annotated[
        str | None,
        Meta(
            description="The password of the server itself (PASS); most public servers have none."
        ),
    ] = None
    sasl: Annotated[
        Sasl | None,
        Meta(
            description="Login by SASL PLAIN, before the account is visible to others; without "
            "it none."
        ),
    ] = None
    nickserv: Annotated[
        Nickserv | None,
        Meta(
            description="Login by a message to NickServ, for networks without SASL; without it "
            "none."
        ),
    ] = None
    channels: Annotated[
        list[str], Meta(description="Channels to join, each `#name` or `#name key`.")
    ] = []
    notice: Annotated[
        bool,
        Meta(
            description="Whether messages are sent by NOTICE, which other robots do not answer, "
            "instead of PRIVMSG."
        ),
    ] = False
    # The classic servers forgive 5 messages at once and one every 2 s; more is "Excess Flood".
    flood_burst: Annotated[
        int,
        Meta(ge=1, le=100),
        Meta(
            description="Lines that may be sent at once before they are paced; classic servers "
            "allow five."
        ),
    ] = 4
    flood_rate: Annotated[
        float,
        Meta(gt=0, le=100),
        Meta(description="Lines per second that are sent once the burst is used up."),
    ] = 0.5
    max_lines: Annotated[
        int,
        Meta(ge=1, le=1000),
        Meta(description="Lines of one message at most; a longer one is refused."),
    ] = 40
    # Together with the 10 s for the first joins below the 30 s that a worker has to be ready.
    connect_seconds: Annotated[
        Seconds, Meta(description="Seconds until the server must have accepted the registration.")
    ] = 18.0
    ping_seconds: Annotated[
        Seconds, Meta(description="Seconds between two pings to the server.")
    ] = 60.0
    ping_timeout_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds without an answer to a ping after which the connection counts "
            "as dead."
        ),
    ] = 45.0
    rejoin_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds until a channel is joined again after a kick or a netsplit; "
            "doubled with each kick."
        ),
    ] = 5.0
    retry_seconds: Annotated[
        Seconds,
        Meta(
            description="Seconds until the account tries again to join a channel that refused "
            "it: a ban, a wrong key, invite only."
        ),
    ] = 300.0
    regain_seconds: Annotated[
        Seconds, Meta(description="Seconds between two tries to get the wanted nick back.")
    ] = 60.0
    quit_message: Annotated[
        str, Meta(description="The message that others see when the account leaves the network.")
    ] = "Trunkline"

    def __post_init__(self) -> None:
        """Check what types cannot express. Raises ``ValueError`` that names the fields."""
        _refuse([*self._wrong_fields(), *self._wrong_channels()])

    def _wrong_fields(self) -> Iterator[str]:
        if (wrong := wrong_host(self.server)) is not None:
            yield f"server {masked_command(self.server, '…')!r} {wrong}"  # it may have a login
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
    """Return the secret part of an entry of ``channels``: everything after the name, its key.

    Also for a malformed entry like ``#name,key``, which may be shown before it is corrected.
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
