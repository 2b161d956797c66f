"""Defines what is kept on disk, and how much of it: logs, messages, their files. Pure."""

from typing import Annotated, Literal

from msgspec import Meta

from runtime.config.fields import Count, Section
from workers.plugin import LOCAL

AllowedMedia = Annotated[
    str, Meta(pattern=r"^(/+[^/\x00]|https?://[^@/\s]+(/|$))", max_length=4096)
]


class LoggingConfig(Section, frozen=True):
    """What is written, and how much of it."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least severe lines that are logged."),
    ] = "info"
    # 10 MB in 5 files per account: days of an ordinary account, 10 GB at most for 200.
    max_bytes: Annotated[
        int,
        Meta(ge=4096, le=1 << 40),
        Meta(description="Bytes of one log file before it is rotated; each process has its own."),
    ] = 10_000_000
    files: Annotated[
        int,
        Meta(ge=1, le=1000),
        Meta(description="Log files kept of each process."),
    ] = 5
    total_bytes: Annotated[
        int,
        Meta(ge=65_536, le=1 << 50),
        Meta(
            description="Bytes of all logs together; beyond that the oldest rotated files of "
            "any process are deleted."
        ),
    ] = 1_000_000_000
    # Against log bombs; the burst lets a traceback through.
    lines_per_second: Annotated[
        Count,
        Meta(
            description="Lines that a process may print in a second, on average; further ones "
            "are dropped and counted."
        ),
    ] = 200
    bytes_per_second: Annotated[
        Count,
        Meta(
            description="Bytes that a process may print in a second, on average; further ones "
            "are dropped and counted."
        ),
    ] = 1_000_000
    burst_lines: Annotated[
        Count,
        Meta(
            description="Lines that a process may print at once, for example of a long traceback."
        ),
    ] = 2000


class KeepConfig(Section, frozen=True):
    """How long stored messages are kept, for clients that come back late, and how many copies."""

    days: Annotated[
        float,
        Meta(gt=0, le=3650),
        Meta(
            description="Days for which messages are kept, so that clients that were away get them."
        ),
    ] = 30.0
    # Positions and ids of messages stay.
    bytes: Annotated[
        int,
        Meta(ge=1 << 20, le=1 << 50),
        Meta(
            description="Bytes of stored messages; beyond that the oldest are deleted, except "
            "those that wait for an answer."
        ),
    ] = 2 << 30
    copies: Annotated[
        int,
        Meta(ge=0, le=1000),
        Meta(
            description="Copies kept of the journal; one is made each night in `backup` of the "
            "state directory; 0: none."
        ),
    ] = 3


class JournalConfig(Section, frozen=True):
    """The gateway's journal of what comes in."""

    keep: Annotated[
        KeepConfig,
        Meta(description="How long stored messages are kept, and how many copies of them."),
    ] = KeepConfig()


class MediaConfig(Section, frozen=True):
    """The files of messages; each account has its own.

    A change starts the accounts anew whose channel has files.
    """

    quota_bytes: Annotated[
        int,
        Meta(ge=1 << 20, le=1 << 50),
        Meta(
            description="Bytes of the files of each account; the oldest are deleted first, "
            "except those of the last hour: then no further ones are accepted."
        ),
    ] = 1 << 30
    ttl_days: Annotated[
        float,
        Meta(gt=0, le=3650),
        Meta(description="Days for which a file is kept after its message was received or sent."),
    ] = 7.0
    allow: Annotated[
        list[AllowedMedia],
        LOCAL,
        Meta(
            description="What may be read for a message beside the account's files and the "
            "public internet: absolute directories, and beginnings of addresses on "
            "private hosts (`http://files.lan:8080/`)."
        ),
    ] = []
