"""Compares the resources of the host with the needs of the accounts."""

from __future__ import annotations

from collections.abc import Iterator

from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from runtime.supervisor.process_setup import FILES_PER_ACCOUNT, MIN_FILES, OWN_FILES

MEBIBYTE = 2**20
_ACCOUNT_BYTES = 12 * MEBIBYTE  # of a worker before it is measured
_DISK_LOW, _DISK_FULL = 1024 * MEBIBYTE, 128 * MEBIBYTE
_INFINITE = -1


def open_files(facts: Facts) -> Iterator[Finding]:
    """Find a limit of open files that is too low for the accounts."""
    need = max(MIN_FILES, OWN_FILES + FILES_PER_ACCOUNT * _count(facts))
    have = facts.limits.open_files
    if have != _INFINITE and have < need:
        yield Finding(
            "limits.files",
            Severity.ERROR,
            f"{have} files may be open, and {_count(facts)} accounts need {need}",
            None,
            "raise the limit: `ulimit -n`, or LimitNOFILE= of the service",
        )


def processes(facts: Facts) -> Iterator[Finding]:
    """Find a limit of processes that is too low for the accounts."""
    need = 8 * (_count(facts) + 4)  # threads count, too: setrlimit(2)
    have = facts.limits.processes
    if have != _INFINITE and have < need:
        yield Finding(
            "limits.processes",
            Severity.ERROR,
            f"{have} processes and threads may run, and {_count(facts)} accounts need {need}",
            None,
            "raise the limit: `ulimit -u`, or LimitNPROC= and TasksMax= of the service",
        )


def memory(facts: Facts) -> Iterator[Finding]:
    """Find too little memory for the accounts that do not run yet."""
    sizes = [row["rssBytes"] for row in facts.rows if row.get("rssBytes")]
    each = sum(sizes) // len(sizes) if sizes else _ACCOUNT_BYTES
    need = each * max(0, _count(facts) - len(sizes))
    if need > facts.limits.memory_free:
        yield Finding(
            "limits.memory",
            Severity.WARNING,
            f"{facts.limits.memory_free // MEBIBYTE} MiB of memory are free, and the accounts that"
            f" do not run yet take about {need // MEBIBYTE} MiB",
            None,
            "run fewer accounts, limit them by supervisor.limits, or add memory",
        )


def disk(facts: Facts) -> Iterator[Finding]:
    """Find a disk that is full or nearly full."""
    free = facts.limits.disk_free
    if free < _DISK_LOW:
        place = f"on the disk of {facts.places.state_dir}"
        waits = "messages of journaled accounts wait"
        yield Finding(
            "disk.free",
            Severity.ERROR if free < _DISK_FULL else Severity.WARNING,
            f"no room is left {place}: {waits}, and changes are not kept"
            if free < MEBIBYTE
            else f"{free // MEBIBYTE} MiB are free {place}; when none is left, {waits}",
            str(facts.places.state_dir),
            "make room; journal.keep.days and journal.keep.bytes say what is kept",
        )


def _count(facts: Facts) -> int:
    """Return the number of workers that should run."""
    return 0 if facts.loaded is None else len(facts.loaded.workers)
