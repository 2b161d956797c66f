"""Checks the daemon, its gateway and its service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ipc.frames.words import Phase
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from ops.service.installed import service_command
from ops.service.unit import Scope
from runtime.supervisor.gateways.port import PortUnusable, address, listen


def running(facts: Facts) -> Iterator[Finding]:
    """Find that no daemon runs, or that it does not answer."""
    if facts.status is not None:
        return
    absent = "no supervisor" in (facts.silent or "")
    yield Finding(
        "daemon.running",
        Severity.WARNING if absent else Severity.ERROR,
        facts.silent or "the supervisor does not answer",
        str(facts.places.state_dir),
        _start_or_end(facts, absent=absent),
    )


def _scopes(facts: Facts) -> list[Scope]:
    """Return the scopes of the installed services."""
    return [row["scope"] for row in facts.services]


def _start_or_end(facts: Facts, *, absent: bool) -> str:
    """Return the cure for a daemon that is absent, or hangs: by its service, if it has one."""
    scopes = _scopes(facts)
    if not absent:
        restart = f"{service_command('restart', scopes[0])}, or " if scopes else ""
        return f"{restart}kill -9 the supervisor: accounts are started anew, and nothing is lost"
    if not scopes:
        return "trunkline up --detach, or trunkline service install"
    return _start_and_logs(scopes[0])


def _start_and_logs(scope: Scope) -> str:
    return "; ".join(service_command(verb, scope) for verb in ("start", "logs"))


def version(facts: Facts) -> Iterator[Finding]:
    """Find a running daemon whose version differs from the installed one."""
    there = ((facts.status or {}).get("supervisor") or {}).get("version")
    if there not in (None, facts.version):
        yield Finding(
            "daemon.version",
            Severity.WARNING,
            f"the daemon is version {there}, but {facts.version} is installed",
            None,
            service_command("restart", scopes[0])
            if (scopes := _scopes(facts))
            else "trunkline down; trunkline up --detach",
        )


def warnings(facts: Facts) -> Iterator[Finding]:
    """Report the daemon's own warnings."""
    for text in ((facts.status or {}).get("supervisor") or {}).get("warnings", ()):
        yield Finding("daemon.warnings", Severity.WARNING, text)


def gateway(facts: Facts) -> Iterator[Finding]:
    """Find a gateway that does not run, or has no session with its supervisor."""
    if facts.status is None:
        return
    row = facts.status["gateway"]
    phase = row.get("phase")
    if phase == Phase.RUNNING and row.get("connected"):
        if row.get("outages"):
            yield Finding(
                "gateway.outages",
                Severity.INFO,
                f"the session with the gateway was lost {row['outages']} times since the start",
                None,
                "trunkline logs gateway",
            )
        return
    why = row.get("lastError") or row.get("cause") or "it does not answer"
    held = phase == Phase.STOPPED
    yield Finding(
        "gateway.running",
        Severity.WARNING if held else Severity.ERROR,
        "the gateway is stopped: clients are refused" if held else f"the gateway is {phase}: {why}",
        row.get("url"),
        "trunkline gateway start" if held else "trunkline logs gateway",
    )


def port(facts: Facts) -> Iterator[Finding]:
    """Find that another program uses the gateway's port while no daemon runs."""
    if facts.status is not None or facts.loaded is None or facts.loaded.config.gateway.foreign:
        return
    config = facts.loaded.config.gateway
    try:
        listen(address(config.bind), config.port).close()
    except PortUnusable as error:
        yield Finding("gateway.port", Severity.ERROR, str(error), "gateway.port")


def service(facts: Facts) -> Iterator[Finding]:
    """Find an installed service that is outdated, does not run, or ends at logout."""
    for row in facts.services:
        yield from _problems_of_unit(row)
    if len(facts.units) > 1:
        yield Finding(
            "service.twice",
            Severity.ERROR,
            f"two services run this state: {', '.join(facts.units)}",
            None,
            "trunkline service uninstall --user, or --system",
        )
    elif not facts.units and facts.status is not None:
        yield Finding(
            "service.installed",
            Severity.INFO,
            "nothing starts the daemon when this host boots",
            None,
            facts.no_systemd or "trunkline service install",
        )


def _problems_of_unit(row: dict[str, Any]) -> Iterator[Finding]:
    """Find what is wrong with one unit; ``row`` is one of ``trunkline service status``."""
    unit, scope = row["unit"], row["scope"]
    install = service_command("install", scope)
    for doubt in row["doubts"]:
        cure = f"{install} --force"
        yield Finding("service.stale", Severity.WARNING, f"{unit}: {doubt}", unit, cure)
    if row["active"] != "active":
        why = f" ({row['result']})" if row["result"] else ""
        text = f"the service is {row['active']}{why}"
        yield Finding("service.active", Severity.ERROR, text, unit, _start_and_logs(scope))
    if not row["enabled"]:
        text = "the service does not start at boot"
        yield Finding("service.enabled", Severity.WARNING, text, unit, install)
    if row.get("lingers") is False:
        text = f"the service ends when {row['user']} logs out"
        cure = f"loginctl enable-linger {row['user']}"
        yield Finding("service.linger", Severity.WARNING, text, unit, cure)
