"""Defines the fields of the gateway: its port, its limits, its traces, or the one in its place.

What it serves over HTTP is in ``http_model``, who may connect in ``auth_model``.
"""

from typing import Annotated, Literal

from msgspec import Meta

from ipc.hidden_fields import hide_fields
from ipc.hosts import HTTP, wrong_address
from runtime.config.auth_model import AuthConfig
from runtime.config.fields import Count, Millis, Port, Seconds, Section, Text
from runtime.config.http_model import ControlUiConfig, HttpConfig, ToolsConfig
from runtime.config.places import DEFAULT_PORT
from workers.plugin import LOCAL, REMOTE
from workers.secrets import SecretRef

CollectorUrl = Annotated[str, Meta(pattern=r"^https?://[^@/\s]+(/\S*)?$", max_length=4096)]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]


class ReloadConfig(Section, frozen=True):
    """What happens when the file changes."""

    mode: Annotated[
        Literal["hybrid", "hot", "reload", "restart", "off"],
        Meta(
            description="What a change of the file does to the gateway: `hybrid` replaces it "
            "when its own part changed, `hot` and `reload` never, `restart` always; "
            "`off` does not watch the file."
        ),
    ] = "hybrid"
    # Editors write in several steps. OpenClaw's number.
    debounce_ms: Annotated[
        int,
        Meta(ge=0, le=60_000),
        Meta(
            description="Milliseconds without another change after which a change is applied; "
            "10 s after the first at the latest."
        ),
    ] = 1200


class TlsConfig(Section, frozen=True):
    """Encryption on the gateway's port: then its clients use ``wss``."""

    enabled: Annotated[
        bool,
        LOCAL,
        Meta(
            description="Whether the port is encrypted, so that clients use `wss` and `https`; "
            "both files are then required."
        ),
    ] = False
    cert_path: Annotated[
        Text | None,
        LOCAL,
        Meta(
            description="File of the certificate with its chain (PEM), read again when it "
            "changes; a relative path counts from the configuration's directory."
        ),
    ] = None
    key_path: Annotated[
        Text | None,
        LOCAL,
        Meta(
            description="File of the certificate's private key (PEM), read again when it "
            "changes; a relative path counts from the configuration's directory."
        ),
    ] = None


class NodesConfig(Section, frozen=True):
    """What nodes may be asked to do, beyond what was approved at their pairing."""

    allow_commands: Annotated[
        list[Text],
        LOCAL,
        Meta(
            description="Commands that see, hear or write to people (`camera.snap`, `sms.send`) "
            "and that nodes may execute; others of this kind are refused."
        ),
    ] = []
    deny_commands: Annotated[
        list[Text],
        LOCAL,
        Meta(description="Commands that nodes never execute, whatever was approved."),
    ] = []


class LimitsConfig(Section, frozen=True):
    """What one client, and all of them together, may cost."""

    max_clients: Annotated[
        Count,
        Meta(
            description="Clients that may be connected at the same time; further ones are refused."
        ),
    ] = 10_000
    # OpenClaw's number.
    preauth_per_address: Annotated[
        Count,
        Meta(
            description="Connections of one address that have not authenticated yet; those of "
            "this host do not count."
        ),
    ] = 32
    http_per_address: Annotated[
        Count,
        Meta(
            description="HTTP connections of one address; beyond them the one that was idle for "
            "longest is closed."
        ),
    ] = 64
    buffered_bytes: Annotated[
        Count,
        Meta(
            description="Bytes that may be buffered for a client that does not read, before it "
            "is closed (1008)."
        ),
    ] = 4 * 1024 * 1024
    buffered_total_bytes: Annotated[
        Count,
        Meta(
            description="Bytes that may be buffered for all clients together, of WebSockets and "
            "of HTTP; beyond that the client for which most has waited longest is closed."
        ),
    ] = 20 * 1024 * 1024
    ring_messages: Annotated[
        Count,
        Meta(
            description="Recent events kept in memory for each account, for clients that reconnect."
        ),
    ] = 1000
    ring_bytes: Annotated[
        Count, Meta(description="Bytes of recent events kept in memory for each account.")
    ] = 1024 * 1024


@hide_fields("headers")
class TelemetryConfig(Section, frozen=True):
    """Traces of messages for OpenTelemetry; needs the extra ``otel``."""

    enabled: Annotated[
        bool,
        LOCAL,
        Meta(description="Whether traces of messages are exported; it needs the extra `otel`."),
    ] = False
    endpoint: Annotated[
        CollectorUrl | None,
        LOCAL,
        Meta(
            description="Address of the collector, with `/v1/traces` if it has no path; without "
            "it `OTEL_EXPORTER_OTLP_ENDPOINT`, otherwise `http://localhost:4318`."
        ),
    ] = None
    protocol: Annotated[
        Literal["http/protobuf"],
        Meta(description="How traces are sent: OTLP over HTTP, which all collectors accept."),
    ] = "http/protobuf"
    headers: Annotated[
        dict[HeaderName, Text | SecretRef],
        LOCAL,
        Meta(
            description="Headers of each request to the collector, by name; a value may be a "
            "reference to a secret."
        ),
    ] = {}
    # Traces of a client that brings a trace context follow that context instead.
    sample_ratio: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="The share of traces that are kept, 0 to 1; without it according to "
            "`OTEL_TRACES_SAMPLER`, otherwise all. A client's trace context decides "
            "for itself."
        ),
    ] = None
    service_name: Annotated[
        Text | None,
        Meta(
            description="The name of this service in traces; without it `OTEL_SERVICE_NAME`, "
            "otherwise `trunkline`."
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.endpoint and (wrong := wrong_address(self.endpoint, HTTP, query=False)):
            raise ValueError(f"endpoint {wrong}")


class GatewayConfig(Section, frozen=True):
    """The WebSocket control plane."""

    # Local, as `bind` and `url` are: where they lead, the gateway's secret is sent.
    port: Annotated[
        Port,
        LOCAL,
        Meta(
            description="TCP port for WebSocket and HTTP; a profile has its own default, see "
            "`trunkline config path`."
        ),
    ] = DEFAULT_PORT
    # This host alone, because without TLS the token travels unencrypted. OpenClaw says `auto`.
    bind: Annotated[
        Text,
        LOCAL,
        Meta(
            description="Where it listens: on this host only (`loopback`, `auto`), on every "
            "interface (`lan`), or on one IP address."
        ),
    ] = "loopback"
    auth: Annotated[AuthConfig, Meta(description="How clients authenticate.")] = AuthConfig()
    trusted_proxies: Annotated[
        list[Text],
        REMOTE,
        Meta(
            description="Addresses or networks of reverse proxies whose `X-Forwarded-For` is "
            "trusted; empty: none."
        ),
    ] = []
    tls: Annotated[TlsConfig, Meta(description="Encryption of the port.")] = TlsConfig()
    nodes: Annotated[
        NodesConfig,
        Meta(
            description="Which commands nodes may execute, beside those approved at their pairing."
        ),
    ] = NodesConfig()
    reload: Annotated[
        ReloadConfig, Meta(description="What happens when the configuration changes.")
    ] = ReloadConfig()
    http: Annotated[
        HttpConfig, Meta(description="The HTTP endpoints beside the WebSocket, on the same port.")
    ] = HttpConfig()
    control_ui: Annotated[
        ControlUiConfig, Meta(description="The console, a web page on the same port.")
    ] = ControlUiConfig()
    tools: Annotated[ToolsConfig, Meta(description="What `/tools/invoke` may execute.")] = (
        ToolsConfig()
    )
    limits: Annotated[
        LimitsConfig, Meta(description="What one client, and all of them together, may use.")
    ] = LimitsConfig()
    telemetry: Annotated[
        TelemetryConfig, Meta(description="Traces of messages for OpenTelemetry.")
    ] = TelemetryConfig()
    allowed_origins: Annotated[
        list[Text],
        REMOTE,
        Meta(
            description="Origins of web pages that may connect, beside those of the gateway's "
            "own address; `*`: every page, refused with `auth.mode: none`."
        ),
    ] = []
    # Without it no other name than this host's own counts on a loopback bind: a web page whose
    # name leads here is a stranger.
    public_url: Annotated[
        Text | None,
        REMOTE,
        Meta(
            description="The address at which clients reach it from elsewhere, for example "
            "through a reverse proxy; without it only its own."
        ),
    ] = None
    remote_exec: Annotated[
        bool,
        LOCAL,
        Meta(
            description="Whether local fields, and references of secrets, may be changed from "
            "elsewhere than this host: with that an administrator can run commands "
            "as the daemon's user."
        ),
    ] = False
    handshake_timeout_ms: Annotated[
        Millis,
        Meta(description="Milliseconds that a client has to authenticate before it is closed."),
    ] = 15_000
    tick_interval_ms: Annotated[
        Millis, Meta(description="Milliseconds between two `tick` events to clients.")
    ] = 30_000
    command: Annotated[
        Annotated[list[Text], Meta(min_length=1)] | None,
        LOCAL,
        Meta(
            description="Program and arguments of another gateway, which is run instead of "
            "Trunkline's; without it Trunkline's own."
        ),
    ] = None
    url: Annotated[
        Text | None,
        LOCAL,
        Meta(
            description="Address (`ws://` or `wss://`) of a running gateway to connect to; "
            "without it Trunkline's own is started."
        ),
    ] = None
    attach: Annotated[
        Literal["never", "auto"],
        LOCAL,
        Meta(
            description="What happens if another gateway runs on the port: the start fails "
            "(never), or Trunkline connects to it (auto)."
        ),
    ] = "never"
    # No default: the signal differs between versions, and the wrong one ends the gateway.
    reload_signal: Annotated[
        Literal["SIGHUP", "SIGUSR1", "SIGUSR2"] | None,
        Meta(
            description="Signal by which the gateway of `command` reads its configuration "
            "again; without it the gateway is restarted."
        ),
    ] = None
    repair_command: Annotated[
        Annotated[list[Text], Meta(min_length=1)] | None,
        LOCAL,
        Meta(
            description="Program and arguments that are run once when the gateway of `command` "
            "reports that its configuration is damaged; without it none."
        ),
    ] = None
    # OpenClaw takes 10 to 40 s to start on a calm host.
    ready_within_seconds: Annotated[
        Seconds | None,
        Meta(
            description="Seconds that its start may take; without it 30 for Trunkline's own, "
            "300 for another."
        ),
    ] = None
    stop_within_seconds: Annotated[
        Seconds | None,
        Meta(
            description="Seconds that it has to end before it is killed; without it 5 for "
            "Trunkline's own, 15 for another."
        ),
    ] = None
    # ClawX waits 180 s for another: its event loop may be busy.
    silent_after_seconds: Annotated[
        Seconds | None,
        Meta(
            description="Seconds of silence after which it is asked once more, and replaced if "
            "it does not answer; without it 30 for Trunkline's own, 180 for "
            "another."
        ),
    ] = None

    @property
    def foreign(self) -> bool:
        """Whether the gateway is not Trunkline's own."""
        return self.command is not None or self.url is not None
