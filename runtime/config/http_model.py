"""Defines the fields of the gateway's HTTP endpoints, its page and its tools. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from runtime.config.fields import Count, Section, Text
from workers.plugin import REMOTE

BasePath = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*/?$", max_length=256)]


class EndpointConfig(Section, frozen=True):
    """One endpoint of the OpenAI API: OpenClaw's switch, off as there."""

    enabled: bool = False


class EndpointsConfig(Section, frozen=True):
    """The OpenAI API. With either of them ``/v1/models`` is there, too."""

    chat_completions: EndpointConfig = EndpointConfig()
    responses: EndpointConfig = EndpointConfig()


class HttpConfig(Section, frozen=True):
    """The HTTP endpoints beside the WebSocket, on the same port."""

    enabled: bool = True
    # /metrics shows how much goes on; from loopback it needs no token.
    metrics: bool = True
    # A long conversation with its files; of it an agent gets at most 640 KiB.
    max_body_bytes: Count = 4 * 1024 * 1024
    endpoints: EndpointsConfig = EndpointsConfig()


class ControlUiConfig(Section, frozen=True):
    """The console: the web page that the gateway serves on its own port."""

    enabled: bool = True
    # Where it stands, such as /console behind a proxy that shares the name. Empty: at /.
    base_path: Annotated[BasePath, REMOTE] = ""


class ToolsConfig(Section, frozen=True):
    """What ``/tools/invoke`` may carry out, beside OpenClaw's list of what is denied."""

    # Names that are denied without being listed here: `nodes`.
    allow: Annotated[list[Text], REMOTE] = []
    deny: list[Text] = []
