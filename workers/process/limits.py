"""What one account's process may use, as far as the kernel enforces it for us."""

from __future__ import annotations

import os
import resource

from ipc.frames.bootstrap import WorkerBoot


def apply(boot: WorkerBoot) -> None:
    """Take on the account's niceness and resource limits, nice(2) and setrlimit(2).

    A limit above what this process may have is lowered to that. Both the soft and the hard
    limit are set: a plugin cannot raise them again.
    """
    if boot.niceness:
        os.nice(boot.niceness)
    for which, wanted in (
        (resource.RLIMIT_NOFILE, boot.open_files),
        (resource.RLIMIT_NPROC, boot.processes),
    ):
        if wanted is None:
            continue
        _, hard = resource.getrlimit(which)
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (allowed, allowed))
