"""Defines what is served over HTTP: endpoints, page, tools, requests to accounts, canvas. Pure."""

from typing import Annotated

from msgspec import Meta

from ipc.frames.data import MAX_PAYLOAD_BYTES
from runtime.config.fields import Count, Port, Section, Text
from workers.plugin import LOCAL, REMOTE

BasePath = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*/?$", max_length=256)]


class EndpointConfig(Section, frozen=True):
    """One endpoint of the OpenAI API: OpenClaw's switch, off by default like there."""

    enabled: Annotated[
        bool, Meta(description="Whether the endpoint is served, and with it `/v1/models`.")
    ] = False


class EndpointsConfig(Section, frozen=True):
    """The endpoints of the OpenAI API. With either of them, ``/v1/models`` is enabled, too."""

    chat_completions: Annotated[
        EndpointConfig, Meta(description="Agents behind `/v1/chat/completions` of the OpenAI API.")
    ] = EndpointConfig()
    responses: Annotated[
        EndpointConfig, Meta(description="Agents behind `/v1/responses` of the OpenAI API.")
    ] = EndpointConfig()


class HttpConfig(Section, frozen=True):
    """The HTTP endpoints beside the WebSocket, on the same port."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether anything is served over HTTP, such as `/health`, `/metrics` "
            "and the console."
        ),
    ] = True
    # It shows how much goes on.
    metrics: Annotated[
        bool,
        Meta(description="Whether `/metrics` is served; from other hosts it needs the token."),
    ] = True
    # Room for a long conversation with its files.
    max_body_bytes: Annotated[
        Count,
        Meta(
            description="Bytes of the body of one request to the API; of it an agent gets at "
            "most 640 KiB."
        ),
    ] = 4 * 1024 * 1024
    endpoints: Annotated[
        EndpointsConfig, Meta(description="Which parts of the OpenAI API are served.")
    ] = EndpointsConfig()


class ControlUiConfig(Section, frozen=True):
    """The console: the web page that the gateway serves on its own port."""

    enabled: Annotated[bool, Meta(description="Whether the console is served.")] = True
    base_path: Annotated[
        BasePath,
        REMOTE,
        Meta(
            description="Path below which it is served, such as `/console` behind a proxy that "
            "shares its name; empty: `/`."
        ),
    ] = ""


class ToolsConfig(Section, frozen=True):
    """The tools that ``/tools/invoke`` may run, in addition to OpenClaw's list of denied ones."""

    allow: Annotated[
        list[Text],
        REMOTE,
        Meta(
            description="Tools that may be executed although they are denied by default: `nodes`."
        ),
    ] = []
    deny: Annotated[
        list[Text],
        Meta(description="Tools that may not be executed; it overrides `allow`."),
    ] = []


class IngressConfig(Section, frozen=True):
    """What HTTP requests to accounts may take: one body, and all of them in memory and on disk."""

    max_bytes: Annotated[
        int,
        Meta(ge=1, le=1 << 40),
        Meta(
            description="Bytes of the body of one request; more than 1 MiB only for a channel "
            "with `uploads` in `can`, such as `webhook`."
        ),
    ] = MAX_PAYLOAD_BYTES
    in_flight: Annotated[
        int,
        Meta(ge=1, le=64),
        Meta(
            description="Requests of one account that may be in progress at the same time; "
            "others get 503."
        ),
    ] = 32
    per_second: Annotated[
        float,
        Meta(ge=0.01, le=1_000_000),
        Meta(
            description="Requests of one account in a second, on average, and as many at once; "
            "others get 503."
        ),
    ] = 100.0
    total_bytes: Annotated[
        int,
        Meta(ge=1 << 20, le=1 << 40),
        Meta(description="Bytes in memory of the bodies of all accounts' requests together."),
    ] = 64 << 20
    disk_bytes: Annotated[
        int,
        Meta(ge=0, le=1 << 50),
        Meta(description="Bytes on disk of the bodies of all accounts' requests together."),
    ] = 1 << 30
    within_seconds: Annotated[
        float,
        Meta(ge=0.1, le=300),
        Meta(
            description="Seconds that a channel has to answer a request; then it is answered "
            "with 504."
        ),
    ] = 10.0


class CanvasHostConfig(Section, frozen=True):
    """The pages and files that nodes and browsers show, below ``/__openclaw__/canvas/``."""

    enabled: Annotated[
        bool,
        LOCAL,
        Meta(
            description="Whether the files below `root` are served below `/__openclaw__/canvas/`."
        ),
    ] = False
    root: Annotated[
        Text,
        LOCAL,
        Meta(
            description="Directory of the pages and files; a relative path counts from the "
            "configuration file, `~` is the home directory."
        ),
    ] = "canvas"
    port: Annotated[
        Port | None,
        LOCAL,
        Meta(description="A second port for the same, beside the gateway's; without it none."),
    ] = None
