"""Checks the daemon, its gateway and its service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ipc.frames.words import Phase
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
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
        "trunkline up --detach, or trunkline service install"
        if absent
        else "trunkline service"
        " restart, or kill -9 the supervisor: accounts are started anew, and nothing is lost",
    )


def version(facts: Facts) -> Iterator[Finding]:
    """Find a running daemon whose version differs from the installed one."""
    there = ((facts.status or {}).get("supervisor") or {}).get("version")
    if there not in (None, facts.version):
        yield Finding(
            "daemon.version",
            Severity.WARNING,
            f"the daemon is version {there}, but {facts.version} is installed",
            None,
            "trunkline service restart, or trunkline down and up",
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
    unit = row["unit"]
    for doubt in row["doubts"]:
        cure = "trunkline service install --force"
        yield Finding("service.stale", Severity.WARNING, f"{unit}: {doubt}", unit, cure)
    if row["active"] != "active":
        why = f" ({row['result']})" if row["result"] else ""
        text = f"the service is {row['active']}{why}"
        cure = "trunkline service start; trunkline service logs"
        yield Finding("service.active", Severity.ERROR, text, unit, cure)
    if not row["enabled"]:
        text, cure = "the service does not start at boot", "trunkline service install"
        yield Finding("service.enabled", Severity.WARNING, text, unit, cure)
    if row.get("lingers") is False:
        text = f"the service ends when {row['user']} logs out"
        cure = f"loginctl enable-linger {row['user']}"
        yield Finding("service.linger", Severity.WARNING, text, unit, cure)
