"""Builds the answers about all accounts: ``health``, ``status``, ``channels.status``.

All are made from the same rows, in the shapes of OpenClaw. Fields of
ours stand beside those of the protocol: ``phase``, ``cause``, ``incarnation``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.frames.status import AccountStatus, GatewayStatus
from ipc.frames.words import Phase, command_for
from runtime.gateway.accounts.cached_answer import CachedAnswer
from runtime.gateway.accounts.rows import Accounts

AGENT = "main"
LIFECYCLE: dict[str, str] = {
    Phase.STARTING: "starting",
    Phase.RUNNING: "ready",
    Phase.BACKOFF: "recovering",
    Phase.FAILED: "blocked",
    Phase.STOPPING: "stopped",
    Phase.STOPPED: "stopped",
}


class Health:
    """The answers about all accounts, the one to ``health`` encoded once for all clients."""

    def __init__(self, accounts: Accounts, version: str, default_agent: Callable[[], str]) -> None:
        self._accounts = accounts
        self._version = version
        self._default_agent = default_agent
        self._gateway: GatewayStatus | None = None
        self._cached = CachedAnswer(lambda: accounts.version, self._make)

    def set_gateway(self, status: GatewayStatus) -> None:
        """Set the supervisor's report about the gateway's process."""
        self._gateway = status

    def payload(self, protocol: int) -> msgspec.Raw:
        """Return ``health`` as JSON text, made anew after a change or when it is too old."""
        return self._cached.of(protocol)

    @property
    def size(self) -> int:
        """The size of the last ``health`` in bytes."""
        return self._cached.size

    def status(self) -> dict[str, Any]:
        """Return ``status``, with every row of the accounts."""
        rows = self._accounts.rows.values()
        return {
            "runtimeVersion": self._version,
            "heartbeat": {"defaultAgentId": self._default_agent(), "agents": []},
            "channelSummary": [_summary_line(row) for row in rows],
            "queuedSystemEvents": [],
            "tasks": {"total": 0, "active": 0, "terminal": 0, "failures": 0},
            "sessions": {"paths": [], "count": 0, "defaults": {}, "recent": [], "byAgent": []},
            "pid": os.getpid(),
            "gateway": self._gateway,
            "accounts": list(rows),
        }

    def channels_status(
        self, protocol: int, only: str | None, probes: dict[str, Any]
    ) -> dict[str, Any]:
        """Return ``channels.status`` of all channels or of one; ``probes`` by account key."""
        accounts = self._accounts
        infos = [info for info in accounts.channels.values() if only in (None, info.id)]
        rows = {info.id: accounts.of_channel(info.id) for info in infos}
        shots = {
            channel: [snapshot(row, protocol, probes.get(row.account)) for row in found]
            for channel, found in rows.items()
        }
        answer: dict[str, Any] = {
            "ts": now_ms(),
            "channelOrder": [info.id for info in infos],
            "channelLabels": {info.id: info.label for info in infos},
            "channelDetailLabels": {info.id: info.detail_label for info in infos},
            "channelSystemImages": {info.id: info.system_image for info in infos},
            "channelMeta": [
                {
                    "id": info.id,
                    "label": info.label,
                    "detailLabel": info.detail_label,
                    "systemImage": info.system_image,
                }
                for info in infos
            ],
            "channels": {info.id: _summary(shots[info.id]) | info.can for info in infos},
            "channelAccounts": shots,
            "channelDefaultAccountId": {
                info.id: info.default_account for info in infos if info.default_account
            },
        }
        if protocol >= 4:
            answer["statusIssues"] = [
                issue for found in rows.values() for row in found for issue in _issues(row)
            ]
        return answer

    def _make(self, protocol: int) -> dict[str, Any]:
        began = time.monotonic()
        accounts = self._accounts
        channels: dict[str, Any] = {}
        linked: list[dict[str, Any]] = []
        for info in accounts.channels.values():
            shots = [snapshot(row, protocol) for row in accounts.of_channel(info.id)]
            default = [shot for shot in shots if shot["accountId"] == info.default_account]
            by_id = {shot["accountId"]: shot for shot in shots}
            about = {"id": info.id, "label": info.label}
            linked += [about | _link_of(shot) for shot in shots if "linked" in shot]
            channels[info.id] = {**(default or shots or [{}])[0], "accounts": by_id}
        answer: dict[str, Any] = {
            "ok": True,
            "ts": now_ms(),
            "durationMs": 0,
            "channels": channels,
            "channelOrder": list(accounts.channels),
            "channelLabels": {info.id: info.label for info in accounts.channels.values()},
            "heartbeatSeconds": 0,
            "defaultAgentId": self._default_agent(),
            "agents": [],
            "sessions": {"path": "", "count": 0, "recent": []},
        }
        if linked:
            answer["linkChannel"] = linked[0]
        if protocol >= 4:
            answer["plugins"] = {"loaded": list(accounts.channels), "errors": [], "unavailable": []}
        answer["durationMs"] = int((time.monotonic() - began) * 1000)
        return answer


def _link_of(shot: dict[str, Any]) -> dict[str, Any]:
    """Return what ``linkChannel`` has of an account that knows whether it is linked."""
    return {name: shot[name] for name in ("accountId", "linked", "authAgeMs") if name in shot}


def snapshot(row: AccountStatus, protocol: int, probe: Any = None) -> dict[str, Any]:
    """Return one account as ``channels.status`` has it."""
    running = row.phase == Phase.RUNNING
    plugin = row.plugin
    shot: dict[str, Any] = {
        "accountId": row.account_id,
        "enabled": row.enabled,
        "configured": row.configured,
        "running": running,
        "connected": bool(plugin.get("connected", running)) and running,
        "restartPending": row.phase == Phase.BACKOFF,
        "reconnectAttempts": row.failures,
        "lastStartAt": row.started_at,
        "lastStopAt": row.stopped_at,
        "lastError": row.last_error or plugin.get("lastError"),
        "phase": row.phase,
        "cause": row.cause,
        "incarnation": row.incarnation,
        "pid": row.pid,
    }
    for name in ("linked", "mode", "lastConnectedAt", "lastEventAt", "lastTransportActivityAt",
                 "busy", "activeRuns", "lastInboundAt", "lastOutboundAt"):  # fmt: skip
        if name in plugin:
            shot[name] = plugin[name]
    since = plugin.get("authenticatedAt")
    if isinstance(since, int):
        shot["authAgeMs"] = max(0, now_ms() - since)
    if row.login is not None:
        shot |= {"linked": False, "login": row.login}
    if row.todo is not None:
        shot["todo"] = row.todo
    if protocol >= 4:
        shot["lifecycle"] = LIFECYCLE.get(row.phase, "stopped")
        if row.health is not None:
            shot["healthState"] = row.health
    if probe is not None:
        shot |= {"probe": probe, "lastProbeAt": now_ms()}
    return shot


def _summary(shots: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "configured": any(shot["configured"] for shot in shots),
        "running": any(shot["running"] for shot in shots),
        "connected": any(shot["connected"] for shot in shots),
        "lastError": next((shot["lastError"] for shot in shots if shot["lastError"]), None),
    }


def _summary_line(row: AccountStatus) -> str:
    cause = f" ({row.cause})" if row.cause else ""
    return f"{row.account}: {row.phase}{cause}"


def _issues(row: AccountStatus) -> list[dict[str, str]]:
    waits = row.todo if row.login is not None else None
    if (
        row.phase not in (Phase.BACKOFF, Phase.FAILED)
        and row.health in (None, "ok", "healthy")
        and not waits
    ):
        return []
    return [
        {
            "channel": row.channel,
            "accountId": row.account_id,
            "kind": "runtime",
            "message": ("it waits for a login" if waits else row.last_error)
            or f"{row.phase}{f' ({row.cause})' if row.cause else ''}",
            "fix": waits or f"see `{command_for(row.account, 'describe')}`",
        }
    ]
