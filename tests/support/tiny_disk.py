"""A small file system that can be filled, for tests of a full disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SYSTEM = f"{os.defpath}:/sbin:/usr/sbin"  # whatever PATH a test has set


@contextmanager
def tiny_disk(path: Path, mib: int = 1) -> Iterator[Path]:
    """A file system of so many MiB at ``path``, if the test may mount one."""
    path.mkdir()
    mount, umount = (shutil.which(each, path=SYSTEM) for each in ("mount", "umount"))
    if mount is None or umount is None:
        pytest.skip("there is no mount(8)")
    command = [mount, "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "tmpfs", str(path)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a file system may not be mounted here: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run([umount, "-l", str(path)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to its last byte; return the file that does it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler
