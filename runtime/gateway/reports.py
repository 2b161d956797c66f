"""Applies the supervisor's reports and publishes what has changed.

The order is a contract: the messages that a worker sent before its end are
handed on before its end is published, and none of them afterwards. Where they have to be stored
first, what is reported of their account waits for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.status import AccountStatus, GatewayStatus, is_same_status
from ipc.frames.words import Phase, is_agent
from ipc.metrics import Series
from runtime.config.access_policy import AccessPolicy
from runtime.config.http_model import IngressConfig
from runtime.config.storage_model import KeepConfig
from runtime.config.timers import CronConfig, HooksConfig
from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.fanout import (
    AGENT_REMOVED,
    AGENT_STATUS,
    LOGIN,
    REMOVED,
    STATUS,
)
from runtime.gateway.journal.interface import Keep
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.reception import ConversationsConfig


class SupervisorReport(msgspec.Struct, rename="camel"):
    """The accounts and agents as they are now, by key.

    ``agents`` says which agents there are, and which one answers for whom. ``figures`` are rows in
    which only numbers changed: they are not published. ``whole`` replaces everything that was
    known.
    """

    revision: str = ""
    whole: bool = False
    accounts: dict[str, AccountStatus] = {}
    figures: dict[str, AccountStatus] = {}
    removed: list[str] = []
    gateway: GatewayStatus | None = None
    channels: list[ChannelInfo] | None = None
    agents: dict[str, Any] | None = None
    access: dict[str, AccessPolicy] | None = None
    conversations: ConversationsConfig | None = None
    journal: KeepConfig | None = None
    ingress: IngressConfig | None = None
    cron: CronConfig | None = None
    hooks: HooksConfig | None = None
    metrics: list[Series] | None = None


def apply_report(parts: GatewayParts, report: SupervisorReport) -> None:
    """Apply a report, and send what has changed to the clients that subscribe to it."""
    _configure(parts, report)
    accounts = parts.accounts
    removed = list(report.removed)
    if report.whole:
        removed += [key for key in accounts.all_keys() if key not in report.accounts]
    if report.accounts or removed:
        parts.data_link.drain_now()
    in_order = parts.intake.run_in_order
    for key, row in report.accounts.items():
        in_order(key, partial(_change, parts, key, row))
    for key in removed:
        in_order(key, partial(_remove, parts, key))
    for key, row in report.figures.items():
        in_order(key, partial(accounts.apply_figures, {key: row}))
    if report.whole:
        parts.readiness.on_report()
        parts.recovery.on_report()


def _configure(parts: GatewayParts, report: SupervisorReport) -> None:
    """Apply what a report has beside the rows of accounts: the configuration, and figures."""
    accounts = parts.accounts
    if report.revision and accounts.set_revision(report.revision):
        event = {"path": parts.boot.config_path, "hash": report.revision, "ts": now_ms()}
        parts.hub.broadcast("config.changed", event, scope=READ)
    if report.channels is not None:
        accounts.set_channels(report.channels)
    if report.gateway is not None:
        parts.health.set_gateway(report.gateway)
    if report.metrics is not None:
        accounts.set_series(report.metrics)
    if report.agents is not None:
        parts.agents.configure(report.agents)
        parts.runs.reconfigure()
        parts.timers.heartbeats.start_due()
    if report.conversations is not None:
        parts.reception.configure(report.conversations)
    if report.access is not None:
        parts.gatekeeper.configure(report.access)
    if report.journal is not None:
        kept = report.journal
        parts.intake.set_keep(Keep(kept.days * 86400.0, kept.bytes, kept.copies))
    if report.ingress is not None:
        parts.http_calls.bounds.configure(report.ingress)
    if report.cron is not None:
        parts.timers.configure(report.cron)
    if report.hooks is not None or report.agents is not None or report.channels is not None:
        parts.hooks.configure(report.hooks)


def _change(parts: GatewayParts, key: str, row: AccountStatus) -> None:
    if is_agent(key):
        _change_agent(parts, key, row)
        return
    before = parts.accounts.rows.get(key)
    if parts.accounts.apply(key, row):
        parts.hub.on_health_changed(at_once=before is None or before.phase != row.phase)
        if _has_failed(before, row):
            parts.stability.record(
                f"account.{row.phase}", account=key, reason=row.cause, failures=row.failures
            )
        parts.fanout.publish_payload(key, STATUS, msgspec.json.encode(row))
        _publish_login(parts, before, row)
    parts.data_link.on_report(key)
    parts.outbox.on_report(key)


def _has_failed(before: AccountStatus | None, row: AccountStatus) -> bool:
    """Return whether a change of a row is a new failure, not only news of the last one."""
    if row.phase not in (Phase.BACKOFF, Phase.FAILED):
        return False
    return before is None or (before.phase, before.incarnation) != (row.phase, row.incarnation)


def _change_agent(parts: GatewayParts, key: str, row: AccountStatus) -> None:
    before = parts.accounts.row(key)
    if parts.accounts.apply(key, row):
        if _has_failed(before, row):
            parts.stability.record(
                f"agent.{row.phase}", agent=key, reason=row.cause, failures=row.failures
            )
        parts.fanout.publish_payload(key, AGENT_STATUS, msgspec.json.encode(row))
    if not row.wanted:
        parts.attached.on_stopped(key)
    parts.data_link.on_report(key)
    parts.runs.on_report(key)


def _publish_login(parts: GatewayParts, before: AccountStatus | None, row: AccountStatus) -> None:
    """Publish that a person is asked to log an account in, or how that has ended."""
    if (event := _login_change(before, row)) is not None:
        parts.fanout.publish_payload(row.account, LOGIN, msgspec.json.encode(event))


def _login_change(before: AccountStatus | None, row: AccountStatus) -> dict[str, Any] | None:
    """Return the payload of ``channel.login`` for a change of a row; ``None``: there is none.

    What is shown, and may open the account, is for those who ask for it (``channels.login``).
    """
    asked = None if before is None else before.login
    if row.login == asked:
        return None
    event: dict[str, Any] = {"account": row.account, "channel": row.channel}
    event |= {"accountId": row.account_id, "incarnation": row.incarnation}
    if row.login is not None:
        shown = msgspec.to_builtins(row.login)
        event |= {"state": "asked"} | {
            name: each for name, each in shown.items() if each is not None
        }
    else:
        event["state"] = "linked" if row.phase == Phase.RUNNING else "over"
    return event


def changes(
    before: Mapping[str, AccountStatus], rows: Mapping[str, AccountStatus]
) -> Iterator[tuple[str, str, Any]]:
    """Yield key, name and payload of an event for each change of a row from ``before``."""
    for key, row in rows.items():
        was = before.get(key)
        if was is row or (was is not None and is_same_status(was, row)):
            continue
        yield key, AGENT_STATUS if is_agent(key) else STATUS, row
        if not is_agent(key) and (event := _login_change(was, row)) is not None:
            yield key, LOGIN, event
    for key in before.keys() - rows.keys():
        yield key, AGENT_REMOVED if is_agent(key) else REMOVED, {"account": key}


def _remove(parts: GatewayParts, key: str) -> None:
    row = parts.accounts.row(key)
    if row is None:
        return
    parts.accounts.remove(key)
    parts.data_link.on_report(key)
    if not is_agent(key):
        parts.hub.on_health_changed(at_once=True)
        parts.outbox.on_report(key)
        parts.gatekeeper.forget(key)
    parts.data_link.forget(key, row.incarnation)
    parts.rings.remove(key)
    parts.runs.on_report(key)
    event = AGENT_REMOVED if is_agent(key) else REMOVED
    parts.fanout.publish_payload(key, event, msgspec.json.encode({"account": key}))
    parts.fanout.forget(key)
