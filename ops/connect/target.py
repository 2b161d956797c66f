"""Defines which runtime a command addresses. Pure.

It imports nothing of the runtime, because every command loads it, even `--help`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RuntimeTarget:
    """The runtime that the options of a command select.

    ``given`` are the options before the command (``profile``, ``dev``, ``state_dir``,
    ``config``), which name a state directory of this host; ``url`` and ``token`` are those of
    the gateway to go through. Without a URL the command is for this host's supervisor.
    """

    __slots__ = ("given", "token", "url")

    def __init__(
        self, given: Mapping[str, Any], url: str | None = None, token: str | None = None
    ) -> None:
        self.given = given
        self.url = url
        self.token = token
