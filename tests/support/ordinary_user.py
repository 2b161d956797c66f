"""Runs programs of a test as a user without capabilities.

Root, and whoever has CAP_SYS_PTRACE, may look into every process, so that tests which run as
root do not see what an ordinary user of the product is kept from.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UID = 47110  # in no passwd file
# Put before a command.
ORDINARY: tuple[str, ...] = (
    ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups") if os.geteuid() == 0 else ()
)
# Root may write anywhere; without this capability it is bound by the modes of its own files.
OBEDIENT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def obedient() -> tuple[str, ...]:
    """Return what to put before a command so that modes of files count for it."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores modes, and there is no setpriv (util-linux) to change that")
    return OBEDIENT


@functools.cache
def _unable() -> str | None:
    """Return why programs cannot be run as an ordinary user here."""
    if ORDINARY and shutil.which("setpriv") is None:
        return "root has no setpriv (util-linux) to become an ordinary user with"
    done = subprocess.run(
        [*ORDINARY, sys.executable, "-P", "-c", "import msgspec, ops.cli.entry, tests"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    return f"an ordinary user cannot read this checkout: {done.stderr}" if done.returncode else None


def need_ordinary_user() -> None:
    """Skip the test if programs cannot be run as an ordinary user."""
    if (why := _unable()) is not None:
        pytest.skip(why)


def may_look_into(pid: int) -> bool:
    """Return whether the kernel lets this process inspect another one."""
    return os.access(f"/proc/{pid}/environ", os.R_OK)


def give(*directories: Path) -> None:
    """Give directories of the test, with what is in them, to the ordinary user."""
    if not ORDINARY:
        return
    for directory in directories:
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, UID, UID, follow_symlinks=False)
