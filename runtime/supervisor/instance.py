"""One supervisor per state directory, and the number of its boot.

The boot counter makes every incarnation number of this boot larger than all earlier ones.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from pathlib import Path
from types import TracebackType

from ipc.files import write_atomically
from runtime.supervisor.lock import Held, Lock, Owner, named

INCARNATIONS_BITS = 20  # a million starts of one account per boot


class InstanceHeld(Exception):
    """Another supervisor runs on the state directory."""

    def __init__(self, state_dir: Path, owner: Owner | None) -> None:
        super().__init__(f"{named(owner)} already runs on {state_dir}; `trunkline down` ends it")
        self.state_dir = state_dir
        self.owner = owner


class Instance:
    """Holds the state directory while in its ``with`` block.

    Raises ``InstanceHeld`` when another supervisor does, ``OSError`` when the directory
    cannot be written.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        # Every run of this state directory begins alike, so that the next finds what it left.
        self.runs = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:16]
        self.run_id = f"{self.runs}-{secrets.token_hex(8)}"
        self.boot = 0
        self._lock = Lock(state_dir / "supervisor.lock", state_dir)

    @property
    def first_incarnation(self) -> int:
        """The number before this boot's first incarnation of every child."""
        return self.boot << INCARNATIONS_BITS

    def __enter__(self) -> Instance:
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(self.state_dir, 0o700)
        try:
            self._lock.take()
        except Held as error:
            raise InstanceHeld(self.state_dir, error.owner) from None
        try:
            self.boot = self._count_boot()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def _count_boot(self) -> int:
        """Return the next boot number, once it is on disk: two boots must never share one."""
        path = self.state_dir / "boot"
        boot = _last_boot(path) + 1
        write_atomically(path, f"{boot}\n".encode())
        return boot


def _last_boot(path: Path) -> int:
    """Return the number of the last boot; where it is lost, one larger than any it can be."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return 0
    # Minutes since 1970: no supervisor boots more often. Counting from 0 again would make
    # late news of this boot look like news of an earlier one.
    return int(text) if text.strip().isdigit() else int(time.time() / 60)
