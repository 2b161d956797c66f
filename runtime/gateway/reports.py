"""What a report of the supervisor changes here, and in which order that is told.

The order is a contract (DESIGN section 2): what a worker said before its end is handed on
before its end is told, and nothing of it afterwards.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.status import AccountStatus, GatewayStatus
from ipc.metrics import Series
from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.fanout import REMOVED, STATUS

if TYPE_CHECKING:
    from runtime.gateway.gateway import Gateway


class Report(msgspec.Struct, rename="camel"):
    """Accounts as they are now. ``figures`` are rows in which only numbers changed: nobody is
    told. ``whole`` replaces everything that was known.
    """

    revision: str = ""
    whole: bool = False
    accounts: dict[str, AccountStatus] = {}
    figures: dict[str, AccountStatus] = {}
    removed: list[str] = []
    gateway: GatewayStatus | None = None
    channels: list[ChannelInfo] | None = None
    agents: dict[str, Any] | None = None
    metrics: list[Series] | None = None


def take(gateway: Gateway, report: Report) -> None:
    """Learn what the report says, and tell those who watch."""
    if report.revision and report.revision != gateway.revision:
        _config_changed(gateway, report.revision)
    if report.channels is not None:
        gateway.accounts.set_channels(report.channels)
    if report.gateway is not None:
        gateway.health.gateway = report.gateway
    if report.metrics is not None:
        gateway.accounts.series = report.metrics
    if report.agents is not None:
        gateway.agents.configure(report.agents)
    removed = list(report.removed)
    if report.whole:
        removed += [key for key in gateway.accounts.rows if key not in report.accounts]
    if report.accounts or removed:
        gateway.workers.drain_now()
    for key, row in report.accounts.items():
        _change(gateway, key, row)
    for key in removed:
        _remove(gateway, key)
    gateway.accounts.rows.update(report.figures)
    if report.whole:
        gateway.now_informed()


def _config_changed(gateway: Gateway, revision: str) -> None:
    gateway.revision = revision
    told = {"path": gateway.boot.config_path, "hash": revision, "ts": int(time.time() * 1000)}
    gateway.broadcast("config.changed", told, scope=READ)


def _change(gateway: Gateway, key: str, row: AccountStatus) -> None:
    accounts = gateway.accounts
    if accounts.rows.get(key) != row:
        accounts.rows[key] = row
        accounts.version += 1
        gateway.health_changed()
        if row.phase in ("backoff", "failed"):
            gateway.stability.note(
                f"account.{row.phase}", account=key, reason=row.cause, failures=row.failures
            )
        gateway.fanout.publish_payload(key, STATUS, msgspec.json.encode(row))
    gateway.workers.reported(key)


def _remove(gateway: Gateway, key: str) -> None:
    if gateway.accounts.rows.pop(key, None) is not None:
        gateway.accounts.version += 1
        gateway.health_changed()
        gateway.workers.reported(key)
        gateway.rings.remove(key)
        gateway.fanout.publish_payload(key, REMOVED, msgspec.json.encode({"account": key}))
