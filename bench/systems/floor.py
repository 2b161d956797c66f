"""The floor: the same bytes from unix streams to TCP, with no logic in between.

Nothing that is written in Python and uvloop can be faster; what the product adds to it is the
price of everything it does.
"""

from __future__ import annotations

from bench.systems.programs import Programs, module
from bench.systems.sources import Payloads
from bench.systems.system import Entry, Order
from ipc.websocket.sending import frame


class Floor(Programs):
    """``pack`` messages per write of a source. ``whole``: only whole messages are passed on,
    so that clients can tell them apart; without it they count bytes.
    """

    def __init__(self, pack: int = 1, *, whole: bool = False) -> None:
        super().__init__()
        self.name = f"floor{' whole' if whole else ''}{' ×16' if pack > 1 else ''}"
        self._pack, self._whole = pack, whole
        self._size = 0

    def gateway(self, place: str) -> list[str]:
        """Return the relay's command."""
        return module("floor_relay", f"{place}/s", "frames" if self._whole else "bytes")

    def source(self, place: str, name: str) -> list[str]:
        """Return a source's command."""
        return module("floor_source", f"{place}/s", name, str(self._pack))

    def sized(self, order: Order) -> None:
        """Remember how long each message of ``order`` is: counting needs it beforehand."""
        payload = Payloads("w0").payload(order.size)
        self._size = 4 + len(
            frame(b'{"type":"event","event":"channel.message","payload":%b}' % payload)
        )

    def entry(self, *, events: bool = True) -> Entry:
        """Return how clients connect: without any handshake."""
        if self._whole:
            return Entry(self.port, ("--raw",))
        return Entry(self.port, ("--raw", "--bytes", str(self._size)))
