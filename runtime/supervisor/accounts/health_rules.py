"""Decides when a running account is unhealthy: the rules of the health monitor. Pure.

The input is the rules, the facts about an account and the time; the result is a reason to restart
it, or none. The reason is posted to the account's own mailbox, so that restarts have one owner.
Facts that the plugin does not report are not checked: an account that reports nothing about its
connection is never restarted in a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

HOUR = 3600.0


class HealthRules(msgspec.Struct, frozen=True):
    """The thresholds of the monitor, in seconds.

    ``startup_grace`` counts from readiness, ``reconnect_grace`` from the disconnect,
    ``stale_after`` from the last sign of the transport, ``busy_within`` from the last
    activity of a run. At most ``restarts_per_hour`` restarts are asked for, ``cooldown``
    apart.
    """

    enabled: bool
    startup_grace: float
    reconnect_grace: float
    stale_after: float
    busy_within: float
    cooldown: float
    restarts_per_hour: int


class HealthFacts(msgspec.Struct, frozen=True):
    """The facts about an account; ``plugin`` is the plugin's part of its status, times in epoch ms.

    ``ready_at`` is when it became ready (epoch seconds), ``asked_at`` when the monitor last
    asked for its restart, in order.
    """

    running: bool
    ready_at: float
    plugin: Mapping[str, Any]
    asked_at: tuple[float, ...] = ()


def check(rules: HealthRules, facts: HealthFacts, now: float) -> str | None:
    """Return why the account should be restarted, or ``None``. ``now`` is epoch seconds."""
    if not rules.enabled or not facts.running or facts.plugin.get("linked") is False:
        return None
    if now - facts.ready_at < rules.startup_grace:
        return None
    reason = _problem(rules, facts, now)
    if reason is None or not _may_ask(rules, facts, now):
        return None
    return reason


def _problem(rules: HealthRules, facts: HealthFacts, now: float) -> str | None:
    """Return what is wrong with the account now: stuck, disconnected or stale."""
    plugin = facts.plugin
    if plugin.get("activeRuns") or plugin.get("busy"):
        return _stuck(rules, plugin, now)
    if plugin.get("connected") is False:
        away = _age(plugin, "lastDisconnectAt", now, now - facts.ready_at)
        if away >= rules.reconnect_grace:
            return f"disconnected for {away:.0f} s"
        return None
    if plugin.get("lastTransportActivityAt") is None:
        return None
    silent = _age(plugin, "lastTransportActivityAt", now, 0.0)
    return (
        f"stale: no transport activity for {silent:.0f} s" if silent >= rules.stale_after else None
    )


def _stuck(rules: HealthRules, plugin: Mapping[str, Any], now: float) -> str | None:
    """Return why a busy account counts as stuck: it had no activity for too long."""
    idle = _age(plugin, "lastEventAt", now, 0.0)
    return f"stuck: busy without activity for {idle:.0f} s" if idle >= rules.busy_within else None


def _age(plugin: Mapping[str, Any], field: str, now: float, unknown: float) -> float:
    at = plugin.get(field)
    # A clock that was set back must not make anything look old.
    return max(0.0, now - at / 1000) if isinstance(at, int | float) else unknown


def _may_ask(rules: HealthRules, facts: HealthFacts, now: float) -> bool:
    recent = [at for at in facts.asked_at if 0 <= now - at < HOUR]
    if len(recent) >= rules.restarts_per_hour:
        return False
    return not recent or now - recent[-1] >= rules.cooldown
