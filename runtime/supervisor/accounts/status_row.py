"""Decides the derived fields of an account's status row: its health and its figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipc.frames.control import Beat
from ipc.frames.words import Phase
from runtime.config.accounts import AccountSpec
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.heartbeat import DataLinkView, Totals


def health_of(
    phase: Phase,
    plugin: Mapping[str, Any],
    link: DataLinkView,
    beat: Beat | None,
    *,
    suspected: bool,
    is_agent: bool,
) -> str | None:
    """Return the health of a running account; ``None`` for any other phase.

    ``plugin`` is its plugin's part of the status, ``suspected``: it was asked for a sign of life.
    """
    if phase is not Phase.RUNNING:
        return None
    if suspected:
        return "degraded: silent"
    if link.problem is not None:
        return f"degraded: {link.problem}"
    if plugin.get("connected") is False:
        return "degraded: not connected"
    if is_agent and plugin.get("lastError"):  # whose words are no client's
        return "degraded: its turns fail"
    return f"degraded: {beat.media_refusal}" if beat and beat.media_refusal else "ok"


def figures_of(beat: Beat | None, totals: Totals, *, alive: bool) -> dict[str, Any]:
    """Return the figures of a row: those of the last beat, and counters over all incarnations."""
    present = beat if alive else None
    return {
        "rss_bytes": present.rss_bytes if present else None,
        "fds": present.fds if present else None,
        "loop_lag_ms": round(present.lag * 1000, 1) if present else None,
        "queued": present.queued if present else 0,
        "messages_in": totals.messages_in + (beat.messages_in if beat else 0),
        "messages_out": totals.messages_out + (beat.messages_out if beat else 0),
        "media_bytes": beat.media_bytes if beat else 0,
    }


def has_journal(spec: WorkerSpec) -> bool:
    """Return whether the messages of an account are stored."""
    return isinstance(spec, AccountSpec) and spec.journal == "on"


def fields_of_account(spec: WorkerSpec) -> dict[str, Any]:
    """Return the fields of a row that only accounts have; none for an agent."""
    if not isinstance(spec, AccountSpec):
        return {}
    return {
        "agent": spec.agent,
        "journal": spec.journal,
        "ambiguous": spec.ambiguous,
        "outbox_ttl": spec.outbox.ttl,
        "streaming": spec.streaming,
        "ingress": spec.ingress,
    }
