"""Defines the status of accounts, gateway and supervisor, the rows of every table. Pure.

One shape for the ``channels.report`` of the session, for ``channel.status`` events, for
``trunkline status --json`` and for the tables, so that they cannot disagree. Times named
``…_at`` are epoch milliseconds, for display only.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.words import Phase


class Hold(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A manual stop that is kept on disk; ``at`` is epoch milliseconds.

    ``unknown``: it is unknown whether there was one, so the account waits for a person. ``by``: who
    made it, if known.
    """

    at: int
    reason: str | None = None
    unknown: bool = False
    by: str | None = None


# Under which an account's restarts are counted; a plugin's own words count as unknown.
RESTART_REASONS = (
    "operator",
    "configuration",
    "memory",
    "exited",
    "failed",
    "returned",
    "transient",
    "unhealthy",
    "not_ready",
    "killed",
    "out_of_memory",
    "not_spawned",
    "misconfigured",
    "needs_login",
    "unknown",
)


# Under which what is dropped of an account is counted, by its worker or the gateway; all else
# counts as other.
DROP_REASONS = (
    "duplicate",
    "repeated",
    "late answers",
    "malformed frames",
)


class LoginStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The login prompt of an account, without its text.

    ``kind`` is ``qr``, ``code``, ``ask`` or ``open``; ``expires_at`` is epoch milliseconds.
    """

    prompt: str
    kind: str
    expires_at: int | None = None


class AccountStatus(msgspec.Struct, frozen=True, rename="camel"):
    """One account or agent as the supervisor sees it.

    ``revision`` is the configuration revision of the present or last process, in the form for
    clients; ``restart_reasons`` counts the ``restarts`` by reason.
    """

    account: str  # the key, channel:account
    channel: str
    account_id: str
    phase: str = Phase.STOPPED.value
    cause: str | None = None
    wanted: bool = False
    enabled: bool = True
    configured: bool = True
    name: str | None = None
    agent: str = "none"  # that answers its messages
    journal: str = "off"  # on: what comes in is stored before anything else happens to it
    ambiguous: str = "ask"  # what is done about a message that may have been sent
    outbox_ttl: float = 3600.0  # seconds after which an agent's answer is not sent any more
    streaming: str = "off"  # edits: answers are shown while they are being written
    ingress: bool = False  # the gateway passes HTTP requests on to it
    pid: int | None = None
    incarnation: int = 0
    revision: str = ""
    failures: int = 0
    restarts: int = 0
    restart_reasons: dict[str, int] = msgspec.field(default_factory=dict)
    next_try_at: int | None = None
    retry: str | None = None  # slow: failed, tried now and then; asked: the platform said when
    started_at: int | None = None
    ready_at: int | None = None
    stopped_at: int | None = None
    last_error: str | None = None
    last_exit: str | None = None
    hold: Hold | None = None
    draining: bool = False  # it takes nothing new, and stops once what is under way is done
    health: str | None = None
    todo: str | None = None  # what a person must do, where nothing else helps
    login: LoginStatus | None = None  # what is asked, while it waits for a login
    rss_bytes: int | None = None
    cpu_percent: float | None = None
    fds: int | None = None
    loop_lag_ms: float | None = None
    queued: int = 0
    messages_in: int = 0
    messages_out: int = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    possibly_lost: int | None = 0
    log_dropped: int = 0
    media_bytes: int = 0  # that the files of its messages take
    plugin: dict[str, Any] = msgspec.field(default_factory=dict)


# Fields of a row that change with every beat or message: they are figures, no change of the status.
ROW_FIGURES = (
    "rss_bytes",
    "cpu_percent",
    "fds",
    "loop_lag_ms",
    "queued",
    "messages_in",
    "messages_out",
    "dropped",
    "log_dropped",
    "media_bytes",
)
# Those of what a plugin says about itself.
PLUGIN_FIGURES = frozenset(
    {
        "busy",
        "activeRuns",
        "lastEventAt",
        "lastTransportActivityAt",
        "lastInboundAt",
        "lastOutboundAt",
    }
)

# What a plugin may say about itself; everything else is the supervisor's.
PLUGIN_FIELDS = PLUGIN_FIGURES | frozenset(
    {
        "connected",
        "linked",
        "authenticatedAt",  # epoch ms of the last login
        "mode",
        "lastConnectedAt",
        "lastDisconnectAt",
        "lastError",
        "detail",
    }
)


def is_same_status(before: AccountStatus, row: AccountStatus) -> bool:
    """Return whether two rows of an account differ only in figures."""
    figures = {name: getattr(before, name) for name in ROW_FIGURES}
    plugin = _without_figures(before.plugin)
    if plugin != _without_figures(row.plugin):
        return False
    return msgspec.structs.replace(row, plugin=before.plugin, **figures) == before


def _without_figures(plugin: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plugin.items() if name not in PLUGIN_FIGURES}


class GatewayStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The gateway as the supervisor sees it. ``outages`` counts losses of a working session.

    ``kind`` is ``own``, ``command`` (a foreign program) or ``attached`` (not ours to end),
    ``revision`` that of the configuration it was started with, ``complaint`` the last line on
    its standard error that is worth a warning.
    """

    phase: str = Phase.STOPPED.value
    cause: str | None = None
    pid: int | None = None
    incarnation: int = 0
    port: int = 0
    url: str = ""
    connected: bool = False
    failures: int = 0
    outages: int = 0
    next_try_at: int | None = None
    ready_at: int | None = None
    last_error: str | None = None
    kind: str = "own"
    revision: str = ""
    complaint: str | None = None
    rss_bytes: int | None = None
    cpu_percent: float | None = None


class LinkReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The gateway's view of the data link: its answer to a ``channels.report``.

    ``silent`` is for how many seconds running accounts have given no sign, ``duplicates`` how many
    of their messages were dropped as such, ``repeated`` how many a platform had sent before. All
    are by key. ``journal`` says why journaled accounts cannot be stored at the moment, ``repaired``
    what became of a damaged journal, ``lost`` which accounts lost their position with it.
    ``attached`` are the keys of the agents in whose place a program is attached, ``reconnecting``
    the names of the worker processes that never stay connected, with how often they connected.
    """

    silent: dict[str, float] = msgspec.field(default_factory=dict)
    duplicates: dict[str, int] = msgspec.field(default_factory=dict)
    repeated: dict[str, int] = msgspec.field(default_factory=dict)
    journal: str = ""
    lost: list[str] = msgspec.field(default_factory=list)
    repaired: str = ""
    handshakes_refused: int = 0
    floods: int = 0
    attached: list[str] = msgspec.field(default_factory=list)
    reconnecting: dict[str, int] = msgspec.field(default_factory=dict)


class SupervisorStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The supervisor's own figures. ``limits_by``: what holds the accounts to their limits.

    ``handshakes_refused`` counts by link, ``control`` and ``data``, the connections that proved
    no worker of this boot.
    """

    pid: int
    version: str
    boot: int
    started_at: int
    state_dir: str
    config_path: str
    config_revision: str
    rss_bytes: int | None = None
    cpu_percent: float | None = None
    stale_events: int = 0
    handshakes_refused: dict[str, int] = msgspec.field(default_factory=dict)
    limits_by: str = "polling"
    warnings: list[str] = msgspec.field(default_factory=list)


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The whole status: what ``trunkline status --json`` prints.

    The row of an agent is that of an account, with the channel ``agent``.
    """

    supervisor: SupervisorStatus
    gateway: GatewayStatus
    accounts: list[AccountStatus]
    agents: list[AccountStatus] = msgspec.field(default_factory=list)
