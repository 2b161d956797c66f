"""Applies the supervisor's reports and publishes what has changed.

The order is a contract: the messages that a worker sent before its end are
handed on before its end is published, and none of them afterwards.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.status import AccountStatus, GatewayStatus
from ipc.metrics import Series
from runtime.gateway.accounts.fanout import REMOVED, STATUS
from runtime.gateway.hub import Hub


class SupervisorReport(msgspec.Struct, rename="camel"):
    """The accounts as they are now.

    ``figures`` are rows in which only numbers changed: they are not published. ``whole``
    replaces everything that was known.
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


def take(hub: Hub, report: SupervisorReport) -> None:
    """Apply a report, and send what has changed to the clients that subscribe to it."""
    accounts = hub.accounts
    if report.revision and report.revision != hub.revision:
        hub.revise(report.revision)
    if report.channels is not None:
        accounts.set_channels(report.channels)
    if report.gateway is not None:
        hub.health.set_gateway(report.gateway)
    if report.metrics is not None:
        accounts.set_series(report.metrics)
    if report.agents is not None:
        hub.agents.configure(report.agents)
    removed = list(report.removed)
    if report.whole:
        removed += [key for key in accounts.rows if key not in report.accounts]
    if report.accounts or removed:
        hub.data_link.drain_now()
    for key, row in report.accounts.items():
        _change(hub, key, row)
    for key in removed:
        _remove(hub, key)
    accounts.learn_figures(report.figures)
    if report.whole:
        hub.now_informed()


def _change(hub: Hub, key: str, row: AccountStatus) -> None:
    if hub.accounts.learn(key, row):
        hub.health_changed()
        if row.phase in ("backoff", "failed"):
            hub.stability.note(
                f"account.{row.phase}", account=key, reason=row.cause, failures=row.failures
            )
        hub.fanout.publish_payload(key, STATUS, msgspec.json.encode(row))
    hub.data_link.reported(key)


def _remove(hub: Hub, key: str) -> None:
    if hub.accounts.remove(key):
        hub.health_changed()
        hub.data_link.reported(key)
        hub.rings.remove(key)
        hub.fanout.publish_payload(key, REMOVED, msgspec.json.encode({"account": key}))
