"""Decides whether a new configuration replaces the gateway, by ``gateway.reload.mode``. Pure.

A gateway keeps what it gets in its bootstrap, so a change of that needs another process; a change
of its address or kind needs a move. Everything else applies without either.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from runtime.config.gateway_model import GatewayConfig
from runtime.config.http_model import CanvasHostConfig
from runtime.config.model import Config

HOT = ("hot", "reload")
# Fields that the supervisor itself reads, each at the moment when it needs it.
LIVE = frozenset(
    {
        "reload",
        "attach",
        "remote_exec",
        "reload_signal",
        "repair_command",
        "ready_within_seconds",
        "stop_within_seconds",
        "silent_after_seconds",
    }
)
PLACE = frozenset({"port", "bind", "command", "url"})


class Need(IntEnum):
    """What a change needs to take effect."""

    NOTHING = 0
    RESTART = 1  # of the process, in place
    MOVE = 2  # to another kind or place


class GatewayPart(NamedTuple):
    """The part of the configuration that a gateway is started with."""

    gateway: GatewayConfig
    canvas_host: CanvasHostConfig


def part_of(config: Config) -> GatewayPart:
    """Return the part of ``config`` that a gateway is started with."""
    return GatewayPart(config.gateway, config.canvas_host)


def need_of_part(old: GatewayPart, new: GatewayPart) -> Need:
    """Return what a change from one part to another needs."""
    canvas = Need.NOTHING if old.canvas_host == new.canvas_host else Need.RESTART
    return max(need(old.gateway, new.gateway), canvas)


def need(old: GatewayConfig, new: GatewayConfig) -> Need:
    """Return what a change from one configuration to another needs."""
    changed = {
        name for name in GatewayConfig.__struct_fields__ if getattr(old, name) != getattr(new, name)
    }
    if changed & PLACE:
        return Need.MOVE
    return Need.RESTART if changed - LIVE else Need.NOTHING


def decide(mode: str, found: Need, *, asked: bool, changed: bool) -> Need:
    """Return what is done: ``found`` is needed, the file ``changed``, an operator ``asked``."""
    if mode in HOT:
        return Need.NOTHING
    if mode in ("restart", "off") and (asked or changed):
        return max(found, Need.RESTART)
    return found


def waiting(found: Need) -> str | None:
    """Return a warning about settings that do not apply yet; ``None`` if all do."""
    if found is Need.NOTHING:
        return None
    return "the gateway's part of the configuration waits for `trunkline gateway restart`"
