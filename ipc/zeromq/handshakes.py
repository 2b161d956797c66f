"""Authenticates the peers of a bound socket while they connect: ZAP with PLAIN.

https://rfc.zeromq.org/spec/27. ZeroMQ asks over an ``inproc`` socket of the same context; the
loop answers. A connection that is refused sends nothing and costs no memory. The answer depends
on the secret of this boot alone, never on what has been reported of an account so far: a peer
that is refused does not try again, and one that must wait for its answer is only late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import zmq

from ipc.identity.peer import PeerCredentials, PeerProof
from ipc.zeromq.socket import BYTE_BUDGET, Socket

DOMAIN = b"trunkline"
ENDPOINT = "inproc://zeromq.zap.01"  # where ZeroMQ looks for the handler, in each context
VERSION = b"1.0"
LOG_SECONDS = 10.0  # between two log lines about refused handshakes
COST = 512  # of one request, against the budget of a turn
_NOBLOCK = int(zmq.NOBLOCK)


class Handshakes(Socket):
    """Answers the handshakes of one context; ``refused`` counts those that proved nothing.

    ``on_admitted(credentials)`` is called before the peer can send anything,
    ``on_warning(text)`` at most every 10 s.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        proof: PeerProof,
        on_admitted: Callable[[PeerCredentials], None],
        on_warning: Callable[[str], None],
    ) -> None:
        super().__init__(
            # No REP: it would have to answer one before it reads the next.
            zmq.ROUTER,
            hwm=0,
            byte_budget=BYTE_BUDGET,
            max_bytes=-1,
            on_error=None,
            context=context,
        )
        self._proof = proof
        self._on_admitted = on_admitted
        self._on_warning = on_warning
        self._clock = asyncio.get_running_loop().time
        self._silent_until = 0.0
        self._untold = 0
        self.refused = 0
        self._open()
        self._socket.bind(ENDPOINT)
        self._watch()

    def _read(self, budget_bytes: int) -> bool:
        while budget_bytes > 0:
            try:
                request = self._socket.recv_multipart(_NOBLOCK)
            except zmq.Again:
                return True
            budget_bytes -= COST
            self._socket.send_multipart(self._answer(request), _NOBLOCK)
        return False

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Return the answer to: connection, "", version, id, domain, address, identity, mechanism,
        and the credentials.
        """
        connection, empty, version, number, domain, address, _, mechanism, *given = request
        proven = None
        if (version, domain, mechanism, len(given)) == (VERSION, DOMAIN, b"PLAIN", 2):
            proven = self._proof.admits(*given)
        if proven is None:
            self._refuse(address)
            return [connection, empty, VERSION, number, b"400", b"refused", b"", b""]
        self._on_admitted(proven)
        return [connection, empty, VERSION, number, b"200", b"", proven.name.encode(), b""]

    def _refuse(self, address: bytes) -> None:
        """Count a refusal. What it called itself is its own text and goes into no log."""
        self.refused += 1
        self._untold += 1
        now = self._clock()
        if now < self._silent_until:
            return
        pid = address.decode(errors="replace").rpartition(":")[2]  # host:uid:gid:pid
        by = f"process {pid}" if pid.isdecimal() else "another process"
        more = f" ({self._untold} since the last line)" if self._untold > 1 else ""
        self._silent_until, self._untold = now + LOG_SECONDS, 0
        self._on_warning(f"a handshake of {by} was refused: it is no worker of this boot{more}")
