"""Checks the accounts and agents as they are, and who waits for a person's decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ipc.frames.words import Phase, is_agent
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity

_LOOPING = 5  # failures in a row
_HELD_DAYS = 7.0
_DAY = 86400.0
_WAITING = {
    "devices": "trunkline devices list",
    "nodes": "trunkline nodes status",
    "people": "trunkline pairing list",
}


def failed(facts: Facts) -> Iterator[Finding]:
    """Find accounts that were given up, or cannot be started."""
    for row in facts.rows:
        if row.get("phase") == Phase.FAILED:
            why = row.get("lastError") or row.get("cause") or "unknown"
            yield _of(row, "accounts.failed", Severity.ERROR, f"has failed: {why}")


def looping(facts: Facts) -> Iterator[Finding]:
    """Find accounts that end again and again."""
    for row in facts.rows:
        if row.get("phase") == Phase.BACKOFF and (row.get("failures") or 0) >= _LOOPING:
            why = row.get("lastError") or row.get("cause") or "unknown"
            text = f"has ended {row['failures']} times in a row: {why}"
            yield _of(row, "accounts.looping", Severity.ERROR, text)


def degraded(facts: Facts) -> Iterator[Finding]:
    """Find accounts that run and are not well."""
    for row in facts.rows:
        health = row.get("health")
        if row.get("phase") == Phase.RUNNING and health not in (None, "ok"):
            yield _of(row, "accounts.degraded", Severity.WARNING, f"runs, and is {health}")


def login(facts: Facts) -> Iterator[Finding]:
    """Find accounts that wait for a person to log them in."""
    for row in facts.rows:
        if row.get("login") or row.get("todo"):
            found = _of(row, "accounts.login", Severity.ERROR, "waits for a login")
            yield replace(found, cure=row.get("todo"))


def held(facts: Facts) -> Iterator[Finding]:
    """Find accounts that were stopped by hand long ago."""
    for row in facts.rows:
        hold = row.get("hold")
        if not hold:
            continue
        days = (facts.now - hold["at"] / 1000) / _DAY
        if hold.get("unknown"):
            text = "is stopped, for it is not known whether a person had stopped it"
            yield _of(row, "accounts.held", Severity.ERROR, text)
        elif days > _HELD_DAYS:
            reason = f": {hold['reason']}" if hold.get("reason") else ""
            text = f"was stopped by hand {days:.0f} days ago{reason}"
            yield _of(row, "accounts.held", Severity.INFO, text)


def unconfigured(facts: Facts) -> Iterator[Finding]:
    """Find accounts that lack something in the configuration."""
    if facts.loaded is None:
        return
    for key, spec in facts.loaded.accounts.items():
        if spec.enabled and not spec.configured:
            yield Finding(
                "accounts.unconfigured",
                Severity.WARNING,
                f"{key} is not configured: {spec.reason}",
                spec.place,
                f"trunkline config example {spec.channel}",
            )


def waiting(facts: Facts) -> Iterator[Finding]:
    """Find devices, nodes and people that wait for a decision."""
    for kind, count in facts.waiting.items():
        if count:
            one = count == 1
            yield Finding(
                f"waiting.{kind}",
                Severity.INFO,
                f"{count} {kind if not one else _ONE[kind]} {'waits' if one else 'wait'} for"
                " a decision",
                None,
                _WAITING[kind],
            )


_ONE = {"devices": "device", "nodes": "node", "people": "person"}


def _of(row: dict[str, Any], check: str, severity: Severity, text: str) -> Finding:
    key = row["account"]
    name = key.partition(":")[2]
    command = f"agents describe {name}" if is_agent(key) else f"channels describe {key}"
    return Finding(check, severity, f"{key} {text}", key, f"trunkline {command}")
