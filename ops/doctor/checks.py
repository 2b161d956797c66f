"""Lists the checks, and runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ops.doctor import (
    accounts,
    configuration,
    daemon,
    files,
    hosts,
    installation,
    journal,
    resources,
)
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity, ordered

Check = Callable[[Facts], Iterable[Finding]]


CHECKS: tuple[Check, ...] = (
    configuration.valid,
    configuration.doubts,
    configuration.closed_doors,
    configuration.secrets,
    configuration.gateway_secret,
    configuration.shared_secret,
    configuration.open_bind,
    configuration.everybody,
    configuration.certificate,
    configuration.twice,
    files.state_directory,
    files.modes,
    files.owners,
    files.socket_paths,
    files.stale_sockets,
    files.cleaned_sockets,
    files.clock,
    daemon.running,
    daemon.version,
    daemon.warnings,
    daemon.gateway,
    daemon.port,
    daemon.service,
    resources.open_files,
    resources.processes,
    resources.memory,
    resources.disk,
    journal.size,
    accounts.failed,
    accounts.looping,
    accounts.degraded,
    accounts.login,
    accounts.held,
    accounts.unconfigured,
    accounts.outdated,
    accounts.programs,
    accounts.waiting,
    hosts.names,
    journal.integrity,
    journal.undelivered,
    configuration.hooks,
    installation.completion,
    installation.interpreter,
)


def run(facts: Facts, checks: Iterable[Check] = CHECKS) -> list[Finding]:
    """Return what all checks find, the worst first.

    A check that raises becomes a finding itself, and the others still run.
    """
    found: list[Finding] = []
    for check in checks:
        try:
            found += check(facts)
        except Exception as error:  # noqa: BLE001 - one check that fails must not hide the others
            name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
            text = f"the check {name} failed: {type(error).__name__}: {error}"
            found.append(Finding("doctor.failed", Severity.WARNING, text))
    return ordered(found)


def repaired(findings: Iterable[Finding]) -> list[Finding]:
    """Carry out the safe repairs; return the findings with the outcome."""
    return [_repaired(each) for each in findings]


def _repaired(finding: Finding) -> Finding:
    if finding.repair is None:
        return finding
    try:
        return replace(finding, fixed=finding.repair())
    except OSError as error:
        return replace(finding, message=f"{finding.message}; not repaired: {error.strerror}")
