"""Defines the fields that every agent has beside those of its kind, and finds the entries. Pure.

The range of each field, its default and why that default; ``agents`` puts an agent together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from runtime.config.account_model import Launcher, ProxyUrl
from runtime.config.fields import Seconds, Section, Text
from runtime.config.model import AgentsConfig
from runtime.config.timers import HeartbeatConfig
from workers.plugin import LOCAL

RepeatMode = Literal["unseen", "always", "never"]

ENTRIES = "agents.entries"  # where they stand in the file
NOBODY = "none"  # instead of an agent's id: the gateway's clients answer
IMPLICIT: Mapping[str, Mapping[str, Any]] = {"echo": {"kind": "echo"}}  # where none are listed


class AgentConfig(Section, frozen=True):
    """The fields that every agent has, beside those of its kind."""

    # The kind of agent: echo, or that of an installed package.
    kind: Text
    enabled: bool = True
    name: Annotated[str, Meta(max_length=200)] | None = None  # shown to people
    # A turn whose agent died. unseen: again, unless a part of the answer or the call of a tool was
    # seen; always: again in any case; never: the person reads that it failed.
    repeat: RepeatMode = "unseen"
    # A turn that takes longer is ended. OpenClaw's.
    timeout_seconds: Seconds = 600.0
    # Its turns that run at the same time. None: all that may, or three quarters of them where there
    # are other agents, so that one that hangs leaves room for theirs.
    max_concurrent: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    # Turns that come by themselves. None: none, unless something wakes the agent.
    heartbeat: HeartbeatConfig | None = None
    # Any fields of these parts of `supervisor`.
    restart: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    # As for accounts: see there.
    launcher: Annotated[Launcher, LOCAL] = "zygote"
    confine: Annotated[bool, LOCAL] = False
    proxy: Annotated[ProxyUrl, LOCAL] | None = None


def entries_of(agents: AgentsConfig) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries by id: those of the file, or the one that is there without any."""
    return IMPLICIT if agents.entries is None else agents.entries
