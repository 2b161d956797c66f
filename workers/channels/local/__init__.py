"""Defines the channel ``local``: people on this host chat with the account on a unix socket.

It is built in so that a fresh installation can chat without any login; it is also the load
source of the benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from workers.plugin import Manifest

MAX_PAYLOAD = 256 * 1024  # characters, the limit of a message's text


class LocalConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One account of ``local``.

    ``greeting`` is sent to everybody who connects. ``rate`` makes the account itself emit
    messages, for measuring: so many per second, 0 none, -1 as fast as the worker takes them;
    ``payload_bytes`` is the length of their text.
    """

    greeting: Annotated[
        Annotated[str, Meta(max_length=4096)] | None,
        Meta(description="The first message to everybody who connects; without it none."),
    ] = None
    rate: Annotated[
        float,
        Meta(ge=-1),
        Meta(
            description="Messages per second that the account itself emits, for measurements; "
            "0: none, -1: as many as are accepted."
        ),
    ] = 0
    payload_bytes: Annotated[
        int,
        Meta(ge=1, le=MAX_PAYLOAD),
        Meta(description="Length in characters of the text of each message that `rate` makes."),
    ] = 200


@dataclass(frozen=True, slots=True)
class LocalManifest(Manifest):
    """The manifest of ``local``, which describes an account as a socket or a load source."""

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return ``unix socket``, or the rate of a load source."""
        rate = config.get("rate") or 0
        if not rate:
            return "unix socket"
        return "load source, " + ("as fast as it may" if rate < 0 else f"{rate:g} messages/s")


manifest = LocalManifest(
    id="local",
    label="Local",
    detail_label="Local socket",
    system_image="terminal",
    config=LocalConfig,
    can=frozenset({"edit", "react", "delete", "read"}),
    plugin="workers.channels.local.plugin:Local",
    example={"greeting": "Hello! Type something; /nick NAME to be called by a name."},
    status={"connected": False, "mode": "socket"},
    dm_policy="open",  # the kernel reports the user of the peer
)
