"""The naive design, as a reference: the same processes and libraries, used as documented."""

from __future__ import annotations

from bench.systems.programs import Programs, module


class Naive(Programs):
    """``websockets`` API and ``zmq.asyncio``."""

    name = "naive"

    def gateway(self, place: str) -> list[str]:
        """Return the gateway's command."""
        return module("naive_gateway", f"{place}/s")

    def source(self, place: str, name: str) -> list[str]:
        """Return a worker's command."""
        return module("naive_source", f"{place}/s", name)
