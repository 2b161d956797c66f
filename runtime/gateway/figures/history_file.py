"""Appends the slots of a history to files, and reads them back. Blocks, so use a thread.

Two files in turn, each for as many slots as the history has: when one is full the other one is
begun anew, so that they are bounded and nothing is ever written twice. A history is worth no
failure: what cannot be read or written is left out, and the next slot is tried again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import structlog

from ipc.files import open_to_write, read_regular
from runtime.gateway.figures.history_records import (
    Segment,
    places_record,
    read_segment,
    slot_record,
    united,
)
from runtime.gateway.figures.history_ring import AccountPlace, HistoryRing

log = structlog.get_logger("gateway.figures")


class HistoryFile:
    """The two files of one history, ``<path>.0`` and ``<path>.1``, of ``slots`` slots each."""

    def __init__(self, path: Path, slots: int) -> None:
        self._paths = [path.with_name(f"{path.name}.{number}") for number in range(2)]
        self._slots = slots
        self._origin = 0  # the first slot of the history
        self._turn = 0  # which of the files is written
        self._size = self._rows = 0  # of that file, as far as it is whole
        self._places: dict[str, AccountPlace] = {}  # as it has them
        self._failed = False

    def restore(self, ring: HistoryRing) -> None:
        """Load the files into the ring."""
        segments = [self._read(path) for path in self._paths]
        places, rows = united(segments)
        if places is None:
            return
        self._origin = places.origin
        self._turn = next(n for n, each in enumerate(segments) if each.places is places)
        self._size, self._rows = segments[self._turn].size, len(segments[self._turn].rows)
        self._places = {key: AccountPlace(*place) for key, place in places.places.items()}
        ring.restore(self._places, rows)

    def append(self, number: int, row: bytes, places: Mapping[str, AccountPlace]) -> None:
        """Write a slot, and the places if they differ from those in the file."""
        if self._rows >= self._slots:
            self._turn, self._size, self._rows = 1 - self._turn, 0, 0
        try:
            self._write(number, row, places)
        except OSError as error:
            if not self._failed:
                log.warning("the history of figures is not written", error=str(error))
            self._failed = True
        else:
            self._failed = False

    def _write(self, number: int, row: bytes, places: Mapping[str, AccountPlace]) -> None:
        path = self._paths[self._turn]
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = open_to_write(path)
        try:
            if os.fstat(fd).st_size < self._size:  # it was removed, or shortened
                self._size = self._rows = 0
            os.ftruncate(fd, self._size)  # what was written by half
            data = slot_record(number, row)
            if not self._size or places != self._places:
                self._origin = self._origin or number
                data = places_record(self._origin, number, places) + data
            if os.pwrite(fd, data, self._size) < len(data):
                raise OSError(f"{path}: written in part")
        finally:
            os.close(fd)
        self._size += len(data)
        self._rows += 1
        self._places = dict(places)

    def _read(self, path: Path) -> Segment:
        try:
            return read_segment(read_regular(path))
        except FileNotFoundError:
            return Segment()
        except OSError as error:
            log.warning("the history of figures is not read", error=str(error))
            return Segment()
