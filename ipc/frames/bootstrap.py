"""Defines the bootstrap objects that children read from their pipes at the start. Pure.

They are never in argv, in the environment or in a file, because they contain secrets of this boot.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields


class MediaBoot(msgspec.Struct, frozen=True):
    """The directory and the limits of the account's files; sizes in bytes, ``ttl`` in seconds.

    ``allow`` lists other files and URLs that a message may name, ``hidden`` paths that it never
    may.
    """

    directory: str
    quota: int = 1 << 30
    ttl: float = 7 * 86_400.0
    allow: list[str] = msgspec.field(default_factory=list)
    hidden: list[str] = msgspec.field(default_factory=list)


@hide_fields("token", "config")
class WorkerBoot(msgspec.Struct, frozen=True):
    """The bootstrap object of a worker, which itself resolves secret references in ``config``.

    ``plugin`` is the import string ``package.module:Class`` of the plugin, ``manifest`` that
    of its manifest object; ``beat`` is in seconds. ``niceness``, ``open_files`` and
    ``processes`` are the account's own limits, nice(2) and setrlimit(2). With ``confine`` the
    process is confined to its storage; the list has what must stay out of its reach. ``proxy`` is
    the URL of that which the plugin connects through. ``media`` is for the files of its messages;
    without it they lie in the storage.
    ``ingress_url`` is the address below which the platform reaches it over HTTP.
    """

    key: str
    incarnation: int
    token: str
    control: str
    data: str
    manifest: str
    config: dict[str, Any]
    storage: str
    run_dir: str
    beat: float = 5.0
    stop_within: float = 5.0
    revision: str = ""
    niceness: int = 0
    open_files: int | None = None
    processes: int | None = None
    confine: list[str] | None = None
    proxy: str | None = None
    media: MediaBoot | None = None
    ingress_url: str | None = None


class ChannelInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The data of a channel for the gateway, which does not import plugins."""

    id: str
    label: str
    detail_label: str
    system_image: str
    default_account: str | None
    accounts: list[str]
    actions: list[str] = msgspec.field(default_factory=list)
    can: dict[str, Any] = msgspec.field(default_factory=dict)  # as ``channels.status`` shows it


@hide_fields("session_token", "secret", "gateway", "agents")
class GatewayBoot(msgspec.Struct, frozen=True):
    """The gateway's bootstrap: ``secret`` proves workers, ``session_token`` the supervisor."""

    incarnation: int
    version: str
    session_token: str
    secret: bytes
    data: str
    gateway: dict[str, Any]  # the configuration's gateway section, as JSON
    agents: dict[str, Any]
    channels: list[ChannelInfo]
    state_dir: str
    config_path: str
    revision: str = ""
    canvas: dict[str, Any] = msgspec.field(default_factory=dict)  # the section canvasHost, likewise


# Made at import, and so in the zygote: what msgspec learns of a type at its first use would
# cost every child a millisecond and 0.3 MiB of its own.
worker_boot = msgspec.msgpack.Decoder(WorkerBoot).decode
gateway_boot = msgspec.msgpack.Decoder(GatewayBoot).decode
