"""Keeps holds on disk: accounts that an operator stopped stay stopped across restarts.

Separate from the lifecycle, which does not deal with files: a hold is on disk before the stop
command is acknowledged, and is read once at the start. A damaged or missing file must not start an
account that a person had stopped: there is a second copy, then the history, and after damage an
account that is in neither waits for a person.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import structlog

from ipc.files import read_regular
from ipc.frames.status import Hold
from ipc.frames.words import Phase
from ipc.nesting import MALFORMED, decode_json
from ipc.permissions import describe
from ipc.state_file import StateFile
from runtime.supervisor.accounts.history import HistoryEntry
from runtime.supervisor.lifecycle import HELD, HOLD_UNKNOWN

HOLDS = "holds.json"  # in the state directory
COPY = ".1"  # behind the name: the second copy, written after the first
ANSWER = "start or stop each, or `trunkline channels start --all-unknown`"
UNKNOWN = "it is unknown whether it was stopped by hand: the holds were damaged"

log = structlog.get_logger("holds")


class Holds:
    """The holds by account key. If the disk fails they last only until the restart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._warnings: list[str] = []
        self._file = StateFile(path, dict[str, Hold], on_error=self._on_write_error)
        self._copy = StateFile(path.with_name(path.name + COPY), dict[str, Hold])
        self._fault = ""  # of the last write that failed
        self._damaged = False
        self._copied = True  # whether a damaged file could be replaced by its copy
        self._missing = False  # whether there is neither file: a first start, or both were removed
        self._held = self._load()

    @property
    def _on_disk(self) -> dict[str, Hold]:
        return self._file.on_disk or {}

    @property
    def warnings(self) -> list[str]:
        """Warnings for the operator: a damaged file, holds that are not on disk."""
        held = ", ".join(self.unsaved)
        unknown = ", ".join(key for key, hold in self._held.items() if hold.unknown)
        free = ", ".join(key for key in self._on_disk if key not in self._held)
        return [
            *self._warnings,
            *([f"{UNKNOWN}: {unknown}; {ANSWER}"] if unknown else []),
            *(
                [f"not on disk, and forgotten at the next start: the hold of {held}{self._fault}"]
                if held
                else []
            ),
            *(
                [f"still on disk, and in force at the next start: the hold of {free}{self._fault}"]
                if free
                else []
            ),
        ]

    @property
    def unsaved(self) -> list[str]:
        """The accounts whose hold differs from the one on disk."""
        return [key for key, hold in self._held.items() if self._on_disk.get(key) != hold]

    def get(self, key: str) -> Hold | None:
        """Return the hold of an account, if it is held."""
        return self._held.get(key)

    def all(self) -> dict[str, Hold]:
        """Return every hold, in the order in which they were made."""
        return dict(self._held)

    def hold_all(
        self, keys: Iterable[str], reason: str | None = None, by: str | None = None
    ) -> None:
        """Hold accounts, in memory; a hold keeps its first time. See ``save_soon``."""
        for key in keys:
            old = self._held.get(key)
            if old is not None and old.unknown:
                old = None
            at = old.at if old is not None else int(time.time() * 1000)
            kept = reason if reason is not None or old is None else old.reason
            self._held[key] = Hold(at, kept, by=by or (old.by if old is not None else None))

    def release_all(self, keys: Iterable[str]) -> None:
        """Remove holds in memory; see ``save_soon``."""
        for key in keys:
            self._held.pop(key, None)

    def recover(
        self, keys: Collection[str], entries: Callable[[str], Sequence[HistoryEntry]]
    ) -> None:
        """Restore the holds of the accounts ``keys`` if the file was damaged or removed. Blocks.

        ``entries(key)`` are the events of an account, the oldest first. Holds found in them are
        added to the copy; without a usable copy, an account whose events do not show it is held as
        unknown. If both files are missing, which is so at a first start, only the events count.
        """
        if self._missing:
            self._damaged = any(hold_in(entries(key)) is not None for key in keys)
            if self._damaged:
                self._on_damage(f"{self.path} was removed")
        if not self._damaged:
            if self._held and not self._copy.path.exists():
                self._write_copy()
            return
        self._damaged = False
        found = {key: hold_in(entries(key)) for key in keys}
        held = {key: hold for key, hold in found.items() if hold is not None}
        if not self._copied:
            now = int(time.time() * 1000)
            held |= {
                key: Hold(now, UNKNOWN, unknown=True) for key in _without_evidence(found, entries)
            }
        self._held = held | self._held
        named = ", ".join(key for key, hold in self._held.items() if not hold.unknown)
        self._warnings.append(f"holds recovered: {named or 'none'}")
        log.warning("holds recovered", accounts=list(self._held))
        self.write()

    def save_soon(self) -> None:
        """Write the holds in a thread; ``wait_saved`` returns whether they are on disk."""
        self._file.save_soon(dict(self._held))
        self._copy.save_soon(dict(self._held))

    async def wait_saved(self) -> bool:
        """Wait until all changes so far are in both files; return ``False`` if they are not."""
        saved = await self._file.wait_saved()
        await self._copy.wait_saved()
        return saved

    def write(self) -> bool:
        """Write the holds now; return whether they are on disk. Blocks; needs no event loop."""
        try:
            self._file.write(dict(self._held))
        except OSError as error:
            self._on_write_error(error)
            return False
        self._write_copy()
        return True

    def _write_copy(self) -> None:
        with contextlib.suppress(OSError):  # the first one is there: the next change tries again
            self._copy.write(dict(self._held))

    def _on_write_error(self, error: OSError) -> None:
        why = describe(error)
        self._fault = f" ({why})"
        log.error("holds not written", path=str(self.path), error=why)

    def _load(self) -> dict[str, Hold]:
        held = self._file.load()
        if held is not None:
            return dict(held)
        damage, copy = self._file.damage, self._copy.load()
        unusable = self._copy.damage is not None
        if damage is None and not copy and not unusable:
            self._missing = copy is None
            return {}  # neither of the files says otherwise
        self._damaged, self._copied = True, copy is not None
        self._on_damage(
            f"{self.path} is damaged ({damage.reason}); kept as {damage.kept}"
            if damage
            else f"{self.path} was removed"
        )
        return dict(copy or {})

    def _on_damage(self, text: str) -> None:
        self._warnings.append(text)
        log.error("holds damaged", path=str(self.path), error=text, copy=self._copied)


def read_holds(path: Path) -> dict[str, Hold]:
    """Return the holds of a file, none for one that is missing or damaged; it stays as it is.

    For commands: what is damaged is evidence for the next start of the daemon.
    """
    try:
        return decode_json(read_regular(path), dict[str, Hold])
    except (OSError, *MALFORMED):
        return {}


def hold_in(entries: Sequence[HistoryEntry]) -> Hold | None:
    """Return the hold that an account's events show, if any; the oldest event comes first."""
    entry = _last_evidence(entries)
    if entry is None or entry.cause not in (HELD, HOLD_UNKNOWN):
        return None
    return Hold(entry.at, entry.text, unknown=entry.cause == HOLD_UNKNOWN, by=entry.by)


def _last_evidence(entries: Sequence[HistoryEntry]) -> HistoryEntry | None:
    """Return the last event that shows whether the account was held.

    A stop for another reason, such as the end of the daemon, does not show it.
    """
    for entry in reversed(entries):
        if entry.note:
            continue
        down = entry.phase in (Phase.STOPPED, Phase.STOPPING)
        if not down or entry.cause in (HELD, HOLD_UNKNOWN):
            return entry
    return None


def _without_evidence(
    found: dict[str, Hold | None], entries: Callable[[str], Sequence[HistoryEntry]]
) -> list[str]:
    return [
        key for key, hold in found.items() if hold is None and _last_evidence(entries(key)) is None
    ]
