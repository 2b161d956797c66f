"""Defines the fields that every account has beside those of its channel, and every channel.

The range of each, its default and why that default. What a section of a channel holds at most is
``ChannelConfig`` and its manifest's struct; ``accounts`` puts an account together from them.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from runtime.config.access_policy import AccessFields
from runtime.config.fields import Section, Text
from runtime.config.model import AgentName
from workers.plugin import LOCAL

Interpreter = Annotated[str, Meta(pattern=r"^/[^\x00]*$", max_length=4096)]
# What accounts and agents have alike.
Proxy = Annotated[
    Annotated[str, Meta(pattern=r"^https?://[^@/\s]+/?$", max_length=300), LOCAL] | None,
    Meta(
        description="The HTTP proxy through which it connects, an address without a password, "
        "because it is shown; without it none."
    ),
]
Launcher = Annotated[
    Literal["zygote", "exec"],
    LOCAL,
    Meta(
        description="How its process is started: `zygote` is fast and small, `exec` shares "
        "no memory with other processes, for an SDK that you do not trust."
    ),
]
RestartFields = Annotated[
    dict[str, Any],
    Meta(
        description="When it is restarted after a failure: any fields of "
        "`supervisor.restart`, which they override."
    ),
]
LimitFields = Annotated[
    dict[str, Any],
    Meta(
        description="What it may use of the host: any fields of `supervisor.limits`, which "
        "they override."
    ),
]
JournalMode = Literal["on", "off"]
AmbiguousMode = Literal["ask", "retry", "drop"]
StreamingMode = Literal["off", "edits"]


class OutboxConfig(Section, frozen=True):
    """The settings of an account's outbox, which needs the journal."""

    ttl: Annotated[
        float,
        Meta(gt=0, le=604800),
        Meta(description="Seconds after which an agent's answer is not sent any more."),
    ] = 3600.0


class AccountConfig(Section, AccessFields, frozen=True):
    """The fields that every account has, beside those of its channel."""

    enabled: Annotated[bool, Meta(description="Whether the account runs.")] = True
    name: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
        Meta(description="The name shown beside the key; without it only the key."),
    ] = None
    restart: RestartFields = {}
    health_monitor: Annotated[
        dict[str, Any],
        Meta(
            description="When it counts as unhealthy while it runs: any fields of "
            "`supervisor.healthMonitor`, which they override."
        ),
    ] = {}
    login: Annotated[
        dict[str, Any],
        Meta(
            description="How a person logs it in: any fields of `supervisor.login`, which they "
            "override."
        ),
    ] = {}
    limits: LimitFields = {}
    launcher: Launcher = "zygote"
    python: Annotated[
        Interpreter | None,
        LOCAL,
        Meta(
            description="The interpreter of a virtualenv of its own, for packages that conflict "
            "with others; without it the daemon's. It implies `exec`."
        ),
    ] = None
    confine: Annotated[
        bool,
        LOCAL,
        Meta(
            description="Whether an `exec` account is restricted to its own files and the "
            "interpreter's (Landlock); not every SDK works with it, and not every "
            "kernel has it."
        ),
    ] = False
    agent: Annotated[
        AgentName | None,
        Meta(
            description="Which agent answers; `none` leaves that to the gateway's clients. "
            "Without it `agents.default`."
        ),
    ] = None
    journal: Annotated[
        JournalMode | None,
        Meta(
            description="Whether received messages are stored before anything else happens to "
            "them; without it on, except for `local`."
        ),
    ] = None
    ambiguous: Annotated[
        AmbiguousMode | None,
        Meta(
            description="What happens to a message that may have been sent when the account "
            "died: it waits for a person (ask), is sent again (retry), or is given "
            "up (drop); without it ask."
        ),
    ] = None
    outbox: Annotated[
        OutboxConfig | None,
        Meta(description="How long answers may wait to be sent; without it an hour."),
    ] = None
    streaming: Annotated[
        StreamingMode | None,
        Meta(
            description="Whether an answer is shown while it is written, by edits of one "
            "message; without it off."
        ),
    ] = None
    proxy: Proxy = None
    ingress: Annotated[
        bool,
        Meta(
            description="Whether the gateway passes HTTP requests on to it, without requiring "
            "its own secret."
        ),
    ] = False


class ChannelConfig(AccountConfig, frozen=True):
    """The fields that every channel has. All other fields are inherited by its accounts."""

    default_account: Annotated[
        Text | None,
        Meta(
            description="Which account is meant if a client names only the channel; without it "
            "`default`, otherwise the first one."
        ),
    ] = None
    accounts: Annotated[
        dict[str, dict[str, Any]] | None,
        Meta(description="The accounts by id; each inherits the other fields of the channel."),
    ] = None
