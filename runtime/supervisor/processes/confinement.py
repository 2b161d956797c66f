"""What holds the accounts to their limits on this machine: the kernel, or our looking at them.

Control groups where some have been given to us (``runtime.supervisor.processes.cgroups``);
else, and for what they do not do, each worker's memory is looked at with its beats
(``runtime.supervisor.accounts.health``).
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from ipc.frames.data import peer_name
from ipc.frames.words import ALIVE
from runtime.config.model import AccountLimitsConfig
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.processes.cgroups import Groups, Limits, Unusable, delegated
from runtime.supervisor.processes.process import Launcher

log = structlog.get_logger("limits")


def confine(launcher: Launcher) -> None:
    """Give the launcher control groups where there are any for us, and let it say so."""
    try:
        launcher.groups = groups = Groups(delegated())
    except Unusable as error:
        launcher.limits_by = f"polling ({error})"
        log.debug("limits are watched by polling", why=str(error))
    else:
        launcher.limits_by = f"control groups in {groups.root}"
        log.info("limits are held by control groups", root=str(groups.root))


def changed(launcher: Launcher, accounts: Iterable[Account]) -> None:
    """Let the limits of accounts that run be what their configuration says now."""
    for account in accounts:
        account.bind()
        if launcher.groups is None:
            continue
        name = peer_name(account.key, account.child.state.incarnation)
        launcher.groups.limit(name, limits_of(account.spec.limits))


def waiting(accounts: Iterable[Account]) -> list[str]:
    """Return a warning for each account whose process could not be given all its new limits."""
    found = []
    for account in accounts:
        bounds = account.figures.bounds
        if bounds is not None and bounds.unmet and account.phase in ALIVE:
            fields = ", ".join(f"limits.{name}" for name in bounds.unmet)
            found.append(
                f"{account.key}: {fields}: counts from its next start, for we may not give a "
                "running process more than it has"
            )
    return found


def limits_of(config: AccountLimitsConfig) -> Limits:
    """Return what a control group is to hold of an account's limits."""
    return Limits(
        memory_soft_bytes=config.memory_soft_bytes,
        memory_hard_bytes=config.memory_hard_bytes,
        processes=config.processes,
        niceness=config.niceness,
    )
