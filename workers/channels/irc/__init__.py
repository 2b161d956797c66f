"""Defines the channel ``irc``; its client is imported only in a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.channels.irc.config import PLAIN_PORT, TLS_PORT, IrcConfig, secret_of_room
from workers.plugin import Manifest


class IrcManifest(Manifest):
    """The manifest of ``irc``, which describes an account as ``nick on server:port``."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return ``nick on server:port``, with ``(no TLS)`` when the link is not encrypted."""
        tls = config.get("tls", True)
        port = config.get("port") or (TLS_PORT if tls else PLAIN_PORT)
        where = f"{config.get('nick', '?')} on {config.get('server', '?')}:{port}"
        return where if tls else f"{where} (no TLS)"


manifest = IrcManifest(
    id="irc",
    label="IRC",
    config=IrcConfig,
    plugin="workers.channels.irc.plugin:Irc",
    detail_label="IRC network",
    system_image="number",
    secrets=frozenset({"password", "sasl.password", "nickserv.password"}),
    secret_parts={"channels": secret_of_room},
    example={
        "server": "irc.libera.chat",
        "nick": "trunkline-bot",
        "sasl": {"user": "trunkline-bot", "password": {"source": "env", "id": "LIBERA_PASSWORD"}},
        "channels": ["#trunkline", "#private its-key"],
    },
    status={"connected": False},
    can=frozenset({"typing"}),
    ignore_case=True,
    typing=6.0,  # so IRCv3
)
