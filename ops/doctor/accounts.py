"""Checks the state of accounts and agents, and what waits for a person's decision."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ipc.frames.words import Phase, agent_key, command_for, is_agent
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from ops.output.text import age
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.lifecycle import LINKING, NEEDS_LOGIN
from workers.agents.command.config import words_of

_FAILING, _LOOPING = 2, 5  # failures in a row
_HELD_DAYS = 7.0
_DAY = 86400.0
_WAITING = {
    "devices": "trunkline devices list",
    "nodes": "trunkline nodes status",
    "people": "trunkline pairing list",
}


def failed(facts: Facts) -> Iterator[Finding]:
    """Find accounts that have failed or cannot be started."""
    for row in facts.rows:
        if row.get("phase") == Phase.FAILED and not _waits_for_login(row):
            why = row.get("lastError") or row.get("cause") or "unknown"
            found = _of(row, "accounts.failed", Severity.ERROR, f"has failed: {why}")
            yield replace(found, cure=row.get("todo") or found.cure)


def looping(facts: Facts) -> Iterator[Finding]:
    """Find accounts that have ended at least twice in a row."""
    for row in facts.rows:
        failures = row.get("failures") or 0
        if row.get("phase") == Phase.BACKOFF and failures >= _FAILING:
            why = row.get("lastError") or row.get("cause") or "unknown"
            text = f"has ended {failures} times in a row: {why}{_next_try(row, facts.now)}"
            severity = Severity.ERROR if failures >= _LOOPING else Severity.WARNING
            yield _of(row, "accounts.looping", severity, text)


def degraded(facts: Facts) -> Iterator[Finding]:
    """Find accounts that run and are not well."""
    for row in facts.rows:
        health = row.get("health")
        if row.get("phase") == Phase.RUNNING and health not in (None, "ok"):
            said = row.get("lastError") if is_agent(row["account"]) else None
            text = f"runs, but is {health}" + (f": {said}" if said else "")
            yield _of(row, "accounts.degraded", Severity.WARNING, text)


def login(facts: Facts) -> Iterator[Finding]:
    """Find accounts that wait for a person to log them in."""
    for row in facts.rows:
        if _waits_for_login(row):
            why = f": {row['lastError']}" if row.get("lastError") else ""
            found = _of(row, "accounts.login", Severity.ERROR, f"waits for a login{why}")
            yield replace(found, cure=row.get("todo") or found.cure)


def held(facts: Facts) -> Iterator[Finding]:
    """Find accounts that were stopped by hand long ago."""
    for row in facts.rows:
        hold = row.get("hold")
        if not hold:
            continue
        days = (facts.now - hold["at"] / 1000) / _DAY
        if hold.get("unknown"):
            text = "is stopped, because it is unknown whether a person had stopped it"
            yield _of(row, "accounts.held", Severity.ERROR, text)
        elif days > _HELD_DAYS:
            reason = f": {hold['reason']}" if hold.get("reason") else ""
            text = f"was stopped by hand {days:.0f} days ago{reason}"
            yield _of(row, "accounts.held", Severity.INFO, text)


def unconfigured(facts: Facts) -> Iterator[Finding]:
    """Find accounts and agents that lack a field, or a package that can be used."""
    if facts.loaded is None:
        return
    for key, spec in facts.loaded.workers.items():
        if spec.enabled and not spec.configured:
            yield Finding(
                "accounts.unconfigured",
                Severity.WARNING,
                f"{key} is not configured, and does not start: {spec.reason}",
                spec.place,
                _completion_of(spec),
            )


def _completion_of(spec: WorkerSpec) -> str:
    """Return how a person completes an account or agent that is not configured."""
    if spec.unusable:
        python = spec.python or sys.executable
        return f"correct or install what that names, for {python}; then trunkline config reload"
    example = agent_key(spec.manifest.id) if spec.is_agent else spec.channel
    return f"add it to {spec.place}: trunkline config example {example}"


def outdated(facts: Facts) -> Iterator[Finding]:
    """Find accounts and agents that could run now, but that the daemon considers unusable.

    Usually their package was installed after the daemon had started.
    """
    if facts.loaded is None:
        return
    for row in facts.rows:
        spec = facts.loaded.workers.get(row["account"])
        if spec is not None and spec.enabled and spec.configured and row.get("configured") is False:
            yield Finding(
                "accounts.outdated",
                Severity.WARNING,
                f"{spec.key} is configured correctly, but not in the running daemon",
                spec.place,
                "trunkline config reload; for a package that was installed since the daemon was"
                " started, trunkline service restart, or trunkline down and up",
            )


def programs(facts: Facts) -> Iterator[Finding]:
    """Find agents whose program does not exist, so that each turn would fail."""
    if facts.loaded is None:
        return
    for key, spec in facts.loaded.workers.items():
        if not (spec.is_agent and spec.enabled and spec.configured and "command" in spec.config):
            continue
        words = words_of(spec.config["command"])
        program = os.path.expanduser(words[0]) if words else ""
        if shutil.which(program, path=facts.environ.get("PATH")) is None:
            # The daemon may have another PATH; a whole path is the same for it.
            severity = Severity.ERROR if "/" in program else Severity.WARNING
            yield Finding(
                "agents.program",
                severity,
                f"{key} cannot answer: {program} does not exist or is not executable",
                f"{spec.place}.command",
                f"correct {spec.place}.command, or install the program",
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


def _waits_for_login(row: dict[str, Any]) -> bool:
    return bool(row.get("login")) or (
        row.get("cause") in (NEEDS_LOGIN, LINKING) and bool(row.get("todo"))
    )


def _next_try(row: dict[str, Any], now: float) -> str:
    due = row.get("nextTryAt")
    return "" if due is None else f"; the next try is in {age(max(0.0, due / 1000 - now))}"


def _of(row: dict[str, Any], check: str, severity: Severity, text: str) -> Finding:
    key = row["account"]
    return Finding(check, severity, f"{key} {text}", key, command_for(key, "describe"))
