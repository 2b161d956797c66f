"""Temporary directories with short paths, whatever ``TMPDIR`` is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import ClassVar


class ShortDirectory:
    """A temporary directory for sockets, whose paths may have 107 bytes (unix(7)).

    Removed with all that is in it by ``cleanup``, or at the end of its ``with``. ``every`` are the
    paths of all that this process has made.
    """

    every: ClassVar[list[Path]] = []

    def __init__(self) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp")
        self.path = Path(self._made.name)
        self.every.append(self.path)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.cleanup()

    def cleanup(self) -> None:
        self._made.cleanup()
