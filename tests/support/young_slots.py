"""Slots as successive gateways inherit them from their supervisor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ipc.websocket.young_slots import YoungSlots
from runtime.supervisor.gateways.young_sockets import YoungHolders


class SlotsRig:
    """The holders of the slots, and what each simulated process has inherited."""

    def __init__(self) -> None:
        self.holders = YoungHolders()
        self._inherited: list[YoungSlots] = []

    def inherit(self) -> YoungSlots:
        """Return what the next process inherits; earlier ones keep theirs."""
        with self.holders.carrier() as fd:
            assert fd is not None
            slots = YoungSlots.inherit(os.dup(fd))
        assert slots is not None
        self._inherited.append(slots)
        return slots

    def close(self) -> None:
        for slots in self._inherited:
            slots.close()
        self.holders.close()


@contextmanager
def slots_rig() -> Iterator[SlotsRig]:
    rig = SlotsRig()
    try:
        yield rig
    finally:
        rig.close()
