"""The channel ``local``: people on this host talk to the account through a unix socket.

The embedded default, so that a fresh installation does something without any login, and the
load source of the benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from workers.plugin import Manifest

MAX_PAYLOAD = 256 * 1024  # characters, the limit of a message's text


class Config(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One account of ``local``.

    ``greeting`` is shown to everybody who connects. ``rate`` makes the account itself speak,
    for measuring: messages per second, 0 not at all, -1 as fast as it may; ``payload_bytes``
    is the length of their text.
    """

    greeting: Annotated[str, Meta(max_length=4096)] | None = None
    rate: Annotated[float, Meta(ge=-1)] = 0
    payload_bytes: Annotated[int, Meta(ge=1, le=MAX_PAYLOAD)] = 200


@dataclass(frozen=True, slots=True)
class _Local(Manifest):
    """The manifest of ``local``: says where it listens instead of which server it is."""

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return what a table shows beside the account."""
        rate = config.get("rate") or 0
        if not rate:
            return "unix socket"
        return "load source, " + ("as fast as it may" if rate < 0 else f"{rate:g} messages/s")


manifest = _Local(
    id="local",
    label="Local",
    detail_label="Local socket",
    system_image="terminal",
    config=Config,
    actions=frozenset({"send", "edit", "react", "delete", "read"}),
    plugin="workers.channels.local.plugin:Local",
    example={"greeting": "Hello! Type something; /nick NAME to be called by a name."},
    status={"connected": False, "mode": "socket"},
)
