"""Defines every field of the configuration file, its range, its default and why that default.

The shape follows ``openclaw.json``, so that its users feel at home. Only types and ranges are
here; ``accounts`` puts an account together from its channel. A time or size has its unit in its
name. In the file the names are camelCase.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ipc.frames.data import MAX_PAYLOAD_BYTES
from ipc.hosts import HTTP, wrong_address
from runtime.config.fields import Count, Millis, Port, Seconds, Section, Text
from runtime.config.http_model import ControlUiConfig, HttpConfig, ToolsConfig
from runtime.config.places import DEFAULT_PORT
from runtime.config.sessions import BindingConfig, CommandsConfig, QueueConfig, SessionConfig
from runtime.config.timers import CronConfig, HooksConfig
from workers.plugin import LOCAL, REMOTE
from workers.secrets import SecretRef

AllowedMedia = Annotated[
    str, Meta(pattern=r"^(/+[^/\x00]|https?://[^@/\s]+(/|$))", max_length=4096)
]
CollectorUrl = Annotated[str, Meta(pattern=r"^https?://[^@/\s]+(/\S*)?$", max_length=4096)]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
# What an agent may be called is checked with its entry (``runtime.config.agents``).
AgentName = Annotated[str, Meta(min_length=1, max_length=64)]


class RestartConfig(Section, frozen=True):
    """When a failed account is started again; ``runtime.supervisor.lifecycle`` has the formula."""

    # 5 s doubling to 5 minutes: OpenClaw's channel policy, gentle to a platform that is down.
    initial_seconds: Seconds = 5.0
    factor: Annotated[float, Meta(ge=1, le=100)] = 2.0
    maximum_seconds: Seconds = 300.0
    # Accounts that failed together must not come back together.
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.2
    # An account that ran this long was healthy: its earlier failures are forgiven.
    healthy_after_seconds: Seconds = 300.0
    # From this many failures in a row it is a crash loop: try seldom, but never give up.
    slow_after: Count = 10
    slow_seconds: Seconds = 900.0
    # Slow logins exist; a start that takes longer hangs.
    ready_within_seconds: Seconds = 30.0
    # Time to log out and to get the last acknowledgements before SIGKILL.
    stop_within_seconds: Seconds = 5.0

    def __post_init__(self) -> None:
        if self.maximum_seconds < self.initial_seconds:
            raise ValueError(
                f"maximumSeconds ({self.maximum_seconds:g}) must not be "
                f"less than initialSeconds ({self.initial_seconds:g})"
            )


class LoginConfig(Section, frozen=True):
    """How a person logs accounts in whose channels ask for it (a QR code, a password)."""

    # Time to fetch the phone. Then the account is stopped, and waits for a person to begin anew.
    within_seconds: Seconds = 600.0


class HealthMonitorConfig(Section, frozen=True):
    """When a running account is unhealthy (``runtime.supervisor.accounts.health_rules``)."""

    enabled: bool = True
    # OpenClaw's numbers: a platform needs time to connect, and to connect again.
    startup_grace_seconds: Seconds = 120.0
    reconnect_grace_seconds: Seconds = 120.0
    # Half an hour without any sign of the transport: the connection died without a word.
    stale_after_seconds: Seconds = 1800.0
    # A long answer is not a hang as long as something happens in it.
    busy_within_seconds: Seconds = 1500.0
    # The monitor restarts seldom, so that a wrong rule cannot become a restart loop.
    cooldown_seconds: Seconds = 600.0
    restarts_per_hour: Count = 10


class AccountLimitsConfig(Section, frozen=True):
    """What one account may use.

    Memory is its proportional share (PSS), so that what accounts have in common counts once.
    """

    # Above this the account is replaced in an orderly way: a leak ends before it hurts.
    memory_soft_bytes: Annotated[int, Meta(ge=16 << 20)] | None = 192 << 20
    # Above this it is killed at once.
    memory_hard_bytes: Annotated[int, Meta(ge=16 << 20)] | None = 256 << 20
    # Accounts replaced for their memory do not all go at the same moment.
    recycle_jitter_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 30.0
    # nice(2): 0 to 19; only root could go below.
    niceness: Annotated[int, Meta(ge=0, le=19)] = 0
    # RLIMIT_NOFILE and RLIMIT_NPROC of the process, setrlimit(2). None: as inherited.
    open_files: Annotated[int, Meta(ge=64)] | None = None
    processes: Count | None = None

    def __post_init__(self) -> None:
        soft, hard = self.memory_soft_bytes, self.memory_hard_bytes
        if soft is not None and hard is not None and hard < soft:
            raise ValueError(
                f"memoryHardBytes ({hard}) must not be less than memorySoftBytes ({soft})"
            )


class RateLimitConfig(Section, frozen=True):
    """How often a wrong token may be tried from one address. OpenClaw's numbers."""

    max_attempts: Count = 10
    window_ms: Millis = 60_000
    lockout_ms: Millis = 300_000
    # A mistake on the own machine is slowed down, not locked out.
    exempt_loopback: bool = True


class TrustedProxyConfig(Section, frozen=True):
    """What a reverse proxy that has logged people in must send (mode ``trusted-proxy``)."""

    # The header with the person's name: the usual one of oauth2-proxy and its like.
    user_header: Text = "x-forwarded-user"
    # Headers that only the proxy adds: a request without them did not come through it.
    required_headers: list[Text] = []
    # Empty: everyone whom the proxy lets in.
    allow_users: Annotated[list[Text], REMOTE] = []
    # A proxy on this host looks like any local program: only where all of them are trusted.
    allow_loopback: bool = False


class AuthConfig(Section, frozen=True):
    """How a client proves that it may connect."""

    # token and password are the same but for the words of a refusal. none is for loopback only.
    mode: Literal["token", "password", "none", "trusted-proxy"] = "token"
    # A string, or a reference. There is no default: a gateway without a secret is open to all.
    token: Text | SecretRef | None = None
    # A second secret that is accepted in the same place, for clients that only know passwords.
    password: Text | SecretRef | None = None
    trusted_proxy: TrustedProxyConfig = TrustedProxyConfig()
    rate_limit: RateLimitConfig = RateLimitConfig()


class ReloadConfig(Section, frozen=True):
    """What happens when the file changes."""

    # hybrid: accounts that changed are restarted, the gateway only when its own part changed.
    # hot (reload is the same): the gateway never, and what waits is reported. restart: the
    # gateway with every change. off: the file is not watched; a requested reload is as restart.
    mode: Literal["hybrid", "hot", "reload", "restart", "off"] = "hybrid"
    # Editors write in several steps; wait until they are done. OpenClaw's numbers.
    debounce_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1200


class TlsConfig(Section, frozen=True):
    """Encryption on the gateway's port: then its clients use ``wss``."""

    enabled: Annotated[bool, LOCAL] = False
    # PEM files: the certificate with its chain, and its key. Read again when they change.
    cert_path: Annotated[Text | None, LOCAL] = None
    key_path: Annotated[Text | None, LOCAL] = None


class NodesConfig(Section, frozen=True):
    """What nodes may be asked to do, beyond what was approved at their pairing."""

    # Commands that see, hear or write to people are refused unless they are named here.
    allow_commands: Annotated[list[Text], LOCAL] = []
    # Never, whatever was approved.
    deny_commands: Annotated[list[Text], LOCAL] = []


class LimitsConfig(Section, frozen=True):
    """What one client, and all of them together, may cost."""

    max_clients: Count = 10_000
    # OpenClaw's: sockets of one address that have not authenticated; loopback is exempt.
    preauth_per_address: Count = 32
    # HTTP connections of one address: beyond them the one that was idle for longest is closed.
    http_per_address: Count = 64
    # What may wait for one client that does not read before it is closed (1008).
    buffered_bytes: Count = 4 * 1024 * 1024
    # The same for all clients together, so that many slow ones cannot use up the memory.
    buffered_total_bytes: Count = 256 * 1024 * 1024
    # Recent events kept per account for clients that come back with their cursor.
    ring_messages: Count = 1000
    ring_bytes: Count = 1024 * 1024


class TelemetryConfig(Section, frozen=True):
    """Traces of messages for OpenTelemetry; needs the extra ``otel``."""

    enabled: Annotated[bool, LOCAL] = False
    # The collector; without a path /v1/traces is meant. None: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    # OTEL_EXPORTER_OTLP_ENDPOINT, or else http://localhost:4318.
    endpoint: Annotated[CollectorUrl | None, LOCAL] = None
    # OTLP over HTTP is what collectors and vendors all take.
    protocol: Literal["http/protobuf"] = "http/protobuf"
    # Of each request to the collector, beside those of OTEL_EXPORTER_OTLP_HEADERS.
    headers: Annotated[dict[HeaderName, Text | SecretRef], LOCAL] = {}
    # The share of traces that are kept; those of a client that brings a trace context follow it.
    # None: as OTEL_TRACES_SAMPLER says, or else all.
    sample_ratio: Annotated[float, Meta(ge=0, le=1)] | None = None
    # None: as OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says, or else trunkline.
    service_name: Text | None = None

    def __post_init__(self) -> None:
        if self.endpoint and (wrong := wrong_address(self.endpoint, HTTP, query=False)):
            raise ValueError(f"endpoint {wrong}")


class GatewayConfig(Section, frozen=True):
    """The WebSocket control plane."""

    # Local, as where it listens: there clients bring its secret, and so do we to another's.
    port: Annotated[Port, LOCAL] = DEFAULT_PORT
    # loopback: 127.0.0.1 only, because the token travels unencrypted. lan: every interface.
    # auto is what loopback is (OpenClaw's word); anything else is an IP address to listen on.
    bind: Annotated[Text, LOCAL] = "loopback"
    auth: AuthConfig = AuthConfig()
    # Addresses or networks of reverse proxies whose X-Forwarded-For is believed.
    trusted_proxies: Annotated[list[Text], REMOTE] = []
    tls: TlsConfig = TlsConfig()
    nodes: NodesConfig = NodesConfig()
    reload: ReloadConfig = ReloadConfig()
    http: HttpConfig = HttpConfig()
    control_ui: ControlUiConfig = ControlUiConfig()
    tools: ToolsConfig = ToolsConfig()
    limits: LimitsConfig = LimitsConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    # Web pages of these origins may connect, beside those of the gateway's own address.
    allowed_origins: Annotated[list[Text], REMOTE] = []
    # Where people reach it from elsewhere, through a reverse proxy say. On a loopback bind no
    # other name than this host's own counts: a web page whose name leads here is a stranger.
    public_url: Annotated[Text | None, REMOTE] = None
    # Whether fields that are marked LOCAL, and references to secrets, may be changed from
    # elsewhere than ``cli.sock``: whoever may do so can run commands as the daemon's user.
    remote_exec: Annotated[bool, LOCAL] = False
    handshake_timeout_ms: Millis = 15_000  # OpenClaw's
    tick_interval_ms: Millis = 30_000  # OpenClaw's; its clients give up after two missed ticks
    # A gateway that is not Trunkline's, run as a child: the program and its arguments.
    command: Annotated[Annotated[list[Text], Meta(min_length=1)] | None, LOCAL] = None
    # A gateway that runs already, and is only connected to.
    url: Annotated[Text | None, LOCAL] = None
    # auto: a gateway that is found on our port is connected to instead of refused.
    attach: Annotated[Literal["never", "auto"], LOCAL] = "never"
    # What makes the gateway of ``command`` read its configuration again. None: nothing, it is
    # restarted; the signal differs between versions, and the wrong one ends it.
    reload_signal: Literal["SIGHUP", "SIGUSR1", "SIGUSR2"] | None = None
    # Run once when the gateway of ``command`` reports that its configuration is damaged.
    repair_command: Annotated[Annotated[list[Text], Meta(min_length=1)] | None, LOCAL] = None
    # None: 30 for our own gateway, 300 for another: OpenClaw takes 10 to 40 s on a calm host.
    ready_within_seconds: Seconds | None = None
    # None: 5 for our own, 15 for another.
    stop_within_seconds: Seconds | None = None
    # None: 30 for our own; 180, as ClawX has it, for another, whose event loop may be busy.
    silent_after_seconds: Seconds | None = None

    @property
    def foreign(self) -> bool:
        """Whether the gateway is not Trunkline's own."""
        return self.command is not None or self.url is not None


class AgentsConfig(Section, frozen=True):
    """Which agents there are, and which one answers: ``default`` is for accounts that name none.

    The fields of an entry are its kind's; see ``agents``.
    """

    default: AgentName = "echo"
    # Turns of all agents together that run at the same time; others wait for theirs.
    max_concurrent: Annotated[int, Meta(ge=1, le=10_000)] = 100
    # None: echo alone, which a fresh installation answers with.
    entries: dict[str, dict[str, Any]] | None = None


class SupervisorConfig(Section, frozen=True):
    """How children are watched."""

    # Often enough to see a hang within half a minute, seldom enough to cost nothing.
    beat_seconds: Annotated[float, Meta(ge=0.05, le=3600)] = 5.0
    # 15 s without a beat: ask; 30 s: act (three and six missed beats).
    suspect_after_seconds: Seconds = 15.0
    silent_after_seconds: Seconds = 30.0
    # How many accounts may be starting at once: more only makes all of them slow on 2 cores.
    start_concurrency: Annotated[int, Meta(ge=1, le=1000)] = 8
    restart: RestartConfig = RestartConfig()
    health_monitor: HealthMonitorConfig = HealthMonitorConfig()
    login: LoginConfig = LoginConfig()
    limits: AccountLimitsConfig = AccountLimitsConfig()

    def __post_init__(self) -> None:
        if not self.beat_seconds < self.suspect_after_seconds <= self.silent_after_seconds:
            raise ValueError(
                f"beatSeconds ({self.beat_seconds:g}) < suspectAfterSeconds "
                f"({self.suspect_after_seconds:g}) <= silentAfterSeconds "
                f"({self.silent_after_seconds:g}) must hold"
            )


class LoggingConfig(Section, frozen=True):
    """What is written, and how much of it."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    # 10 MB in 5 files per account: days of an ordinary account, 10 GB at most for 200.
    max_bytes: Annotated[int, Meta(ge=4096, le=1 << 40)] = 10_000_000
    files: Annotated[int, Meta(ge=1, le=1000)] = 5
    # Of all logs together: the oldest rotated files go first, of whichever process.
    total_bytes: Annotated[int, Meta(ge=65_536, le=1 << 50)] = 1_000_000_000
    # A log bomb is read and dropped above this; the burst lets a traceback through.
    lines_per_second: Count = 200
    bytes_per_second: Count = 1_000_000
    burst_lines: Count = 2000


class KeepConfig(Section, frozen=True):
    """How long stored messages are kept, for clients that come back late, and how many copies."""

    days: Annotated[float, Meta(gt=0, le=3650)] = 30.0
    # The oldest go first. What waits for an answer stays, and so do positions and ids.
    bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 50)] = 2 << 30
    # One is made each night, in `backup` of the state directory; 0: none.
    copies: Annotated[int, Meta(ge=0, le=1000)] = 3


class JournalConfig(Section, frozen=True):
    """The gateway's journal of what comes in."""

    keep: KeepConfig = KeepConfig()


class MediaConfig(Section, frozen=True):
    """The files of messages; each account has its own.

    A change starts the accounts anew whose channel has files.
    """

    # Of each account. The oldest go first, but none of the last hour: then no more is taken.
    quota_bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 50)] = 1 << 30
    # How long a file can be fetched after its message came or was sent.
    ttl_days: Annotated[float, Meta(gt=0, le=3650)] = 7.0
    # What may be read for a message beside the account's files and the public internet: absolute
    # directories for file:, and beginnings of http(s) addresses on private hosts.
    allow: Annotated[list[AllowedMedia], LOCAL] = []


class IngressConfig(Section, frozen=True):
    """What HTTP requests to accounts may take: one body, and all of them in memory and on disk."""

    max_bytes: Annotated[int, Meta(ge=1, le=1 << 40)] = MAX_PAYLOAD_BYTES
    in_flight: Annotated[int, Meta(ge=1, le=64)] = 32
    per_second: Annotated[float, Meta(ge=0.01, le=1_000_000)] = 100.0
    total_bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 40)] = 64 << 20
    disk_bytes: Annotated[int, Meta(ge=0, le=1 << 50)] = 1 << 30
    within_seconds: Annotated[float, Meta(ge=0.1, le=300)] = 10.0


class CanvasHostConfig(Section, frozen=True):
    """The pages and files that nodes and browsers show, below ``/__openclaw__/canvas/``."""

    enabled: Annotated[bool, LOCAL] = False
    # Where the files lie; a relative path counts from the configuration file.
    root: Annotated[Text, LOCAL] = "canvas"
    # A port of their own beside the gateway's. By OpenClaw's convention its port and 4.
    port: Annotated[Port | None, LOCAL] = None


class Config(Section, frozen=True):
    """The whole file. The fields of a channel are its manifest's; see ``accounts``."""

    gateway: GatewayConfig = GatewayConfig()
    channels: dict[str, dict[str, Any]] = {}
    agents: AgentsConfig = AgentsConfig()
    session: SessionConfig = SessionConfig()
    bindings: list[BindingConfig] = []
    queue: QueueConfig = QueueConfig()
    commands: CommandsConfig = CommandsConfig()
    cron: CronConfig = CronConfig()
    hooks: HooksConfig = HooksConfig()
    supervisor: SupervisorConfig = SupervisorConfig()
    journal: JournalConfig = JournalConfig()
    media: MediaConfig = MediaConfig()
    ingress: IngressConfig = IngressConfig()
    canvas_host: CanvasHostConfig = CanvasHostConfig()
    logging: LoggingConfig = LoggingConfig()
