"""Defines the fields that every account has beside those of its channel, and every channel.

The range of each, its default and why that default. What a section of a channel holds at most is
``ChannelConfig`` and its manifest's struct; ``accounts`` puts an account together from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from runtime.config.access_policy import AccessFields
from runtime.config.fields import Section, Text
from runtime.config.model import AgentName
from workers.plugin import LOCAL

ProxyUrl = Annotated[str, Meta(pattern=r"^https?://[^@/\s]+/?$", max_length=300)]
Interpreter = Annotated[str, Meta(pattern=r"^/[^\x00]*$", max_length=4096)]
Launcher = Literal["zygote", "exec"]
JournalMode = Literal["on", "off"]
AmbiguousMode = Literal["ask", "retry", "drop"]
StreamingMode = Literal["off", "edits"]


class OutboxConfig(Section, frozen=True):
    """What an account is to send. It needs the journal."""

    # Seconds after which an agent's answer is not sent any more: late ones help nobody.
    ttl: Annotated[float, Meta(gt=0, le=604800)] = 3600.0


class AccountConfig(Section, AccessFields, frozen=True):
    """The fields that every account has, beside those of its channel."""

    enabled: bool = True
    name: Annotated[str, Meta(max_length=200)] | None = None  # shown to people
    # Any fields of these parts of `supervisor`; they count before the channel's.
    restart: dict[str, Any] = {}
    health_monitor: dict[str, Any] = {}
    login: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    # zygote: up in 20 ms and small. exec: shares no memory with others, for a distrusted SDK.
    launcher: Annotated[Launcher, LOCAL] = "zygote"
    # The interpreter of an own virtualenv, for packages that do not go with others; implies `exec`.
    python: Annotated[Interpreter | None, LOCAL] = None
    # Landlock keeps an `exec` account to its own files and the interpreter's. Not every SDK lives
    # with it, nor every kernel has it.
    confine: Annotated[bool, LOCAL] = False
    # None: agents.default.
    agent: AgentName | None = None
    # on: what came from the platform is stored before anything else happens. None: on, but off
    # for `local`, whose clients see for themselves what was not taken.
    journal: JournalMode | None = None
    # A message may have arrived if the account died meanwhile. ask: it waits as a dead letter;
    # retry: it is sent again, perhaps twice; drop: it is given up. None: ask.
    ambiguous: AmbiguousMode | None = None
    outbox: OutboxConfig | None = None
    # edits: an answer is shown while it is being written, in one message that grows. None: off.
    streaming: StreamingMode | None = None
    # Through which the plugin connects. Without a password: it would be shown.
    proxy: Annotated[ProxyUrl, LOCAL] | None = None
    # Whether the gateway passes HTTP requests on to it, without asking for its own secret.
    ingress: bool = False


class ChannelConfig(AccountConfig, frozen=True):
    """The fields that every channel has. All other fields are inherited by its accounts."""

    default_account: Text | None = None
    accounts: dict[str, dict[str, Any]] | None = None
