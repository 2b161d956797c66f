"""Authenticates the peers of a bound socket while they connect: ZAP with PLAIN.

See https://rfc.zeromq.org/spec/27. ZeroMQ sends a request over an ``inproc`` socket of the same
context, and the event loop answers. A refused connection cannot send anything and costs no memory.
The answer depends only on the secret of this boot, never on the state of accounts, because a
refused peer does not try again. It is delayed while the worker has an earlier connection, which is
ended then (``ipc.zeromq.connections``). Of two that wait for the same connection the second waits
for the first one, too: two with one routing id would cost a file until the socket is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import zmq

from ipc.calls import RESOLUTION
from ipc.identity.peer import PeerCredentials, PeerProof
from ipc.zeromq.connection_rate import ConnectionRate
from ipc.zeromq.connections import Connections
from ipc.zeromq.socket import BYTE_BUDGET, Socket

DOMAIN = b"trunkline"
ENDPOINT = "inproc://zeromq.zap.01"  # where ZeroMQ looks for the handler, in each context
VERSION = b"1.0"
LOG_SECONDS = 10.0  # between two log lines about refused handshakes
# A peer waits so long for its earlier connections to end, which takes until what they had sent is
# read. Then its new one ends as any that takes too long to authenticate, and the peer asks again.
WAIT_SECONDS = 5.0
MOST_BEHIND = 128  # requests of strangers in a row; each costs 32 KiB until the queue is empty
MOST_WAITING = 4  # peers of one name; a worker that reconnects is one
COST = 2048  # of one request, against the budget of a turn: 64 of them take 10 to 25 ms
NOT_YET = (b"300", b"not yet")
_NOBLOCK = int(zmq.NOBLOCK)


class _Waiting(msgspec.Struct, frozen=True):
    """An authenticated peer that waits until its earlier connections have ended."""

    reply: list[bytes]
    peer: PeerCredentials
    pid: int
    earlier: set[int]
    until: float


class Handshakes(Socket):
    """Answers the handshakes of one context; ``refused`` counts failed ones, ``rate`` proven ones.

    ``on_admitted(credentials)`` is called before the peer can send anything,
    ``on_warning(text)`` at most every 10 s. ``on_crowd()`` is called while connections come faster
    than they are answered: ZeroMQ frees the queue of a connection that has ended only when it has
    read all others, so during a flood each refused one would cost 32 KiB.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        proof: PeerProof,
        on_admitted: Callable[[PeerCredentials], None],
        on_warning: Callable[[str], None],
        on_crowd: Callable[[], None],
        rate: ConnectionRate,
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
        self._unlogged = 0
        self._on_crowd = on_crowd
        self._rate = rate
        self._all_read = True
        self._behind = 0  # requests since the queue was empty, but for the first of each worker
        self._proven: set[str] = set()  # the workers of these first requests
        self._waiting: list[_Waiting] = []
        self.refused = 0
        self.connections = Connections(context, self._admit_waiting, self._refuse, on_crowd)
        self._open()
        self._socket.bind(ENDPOINT)
        self._watch()

    def settle(self) -> bool:
        """Read waiting requests within the budget of a turn; return whether none is left."""
        self._drain()
        return self._all_read

    def _read(self, budget_bytes: int) -> bool:
        self._all_read = False
        while budget_bytes > 0:
            try:
                request = self._socket.recv_multipart(_NOBLOCK)
            except zmq.Again:
                self._behind = 0
                self._proven.clear()
                self._all_read = True
                return True
            budget_bytes -= COST
            self._answer(request)
            if self._behind > MOST_BEHIND:
                self._on_crowd()
        return False

    def _answer(self, request: list[bytes]) -> None:
        """Answer a request for authentication, now or later. ``request`` has the connection, an
        empty frame, version, id, domain, address, identity, mechanism, and the credentials.
        """
        connection, empty, version, number, domain, address, _, mechanism, *given = request
        proven = None
        if (version, domain, mechanism, len(given)) == (VERSION, DOMAIN, b"PLAIN", 2):
            proven = self._proof.verify(*given)
        if proven is not None:
            self._rate.record(proven.name, self._clock())
        if proven is None or proven.name in self._proven:
            self._behind += 1
        else:
            self._proven.add(proven.name)
        pid = _pid(address)
        reply = [connection, empty, VERSION, number]
        if proven is None:
            self._refuse(pid)
            self._reply(reply, b"400", b"refused")
            return
        self.connections.catch_up()
        until = self._clock() + WAIT_SECONDS
        each = _Waiting(reply, proven, pid, set(), until)
        if not self._admit(each):
            self._put_off(proven.name)
            self._waiting.append(each)
            self._loop.call_at(until, self._admit_waiting)

    def _put_off(self, name: str) -> None:
        """Give up the peer of this name that waits for longest, if too many wait.

        All that wait are looked at whenever a connection ends.
        """
        same = [each for each in self._waiting if each.peer.name == name]
        if len(same) >= MOST_WAITING:
            self._waiting.remove(same[0])
            self._reply(same[0].reply, *NOT_YET)

    def _admit_waiting(self, closed: int = -1) -> None:
        """Admit peers whose earlier connections have all ended; give up those that waited long."""
        if self.closed:
            return
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.earlier.discard(closed)
            if not each.earlier and self._admit(each):
                continue
            if each.until > self._clock() + RESOLUTION:
                self._waiting.append(each)
            else:
                self._reply(each.reply, *NOT_YET)

    def _admit(self, each: _Waiting) -> bool:
        """Admit a peer, unless it has earlier connections; these are ended first."""
        earlier = self.connections.table.earlier(each.peer.name, each.pid)
        if earlier:
            each.earlier.update(earlier)
            self.connections.end(earlier)
            return False
        self.connections.table.on_proved(each.peer.name, each.pid)
        self._on_admitted(each.peer)
        self._reply(each.reply, b"200", b"", each.peer.name.encode())
        return True

    def _reply(self, to: list[bytes], status: bytes, text: bytes, user: bytes = b"") -> None:
        self._socket.send_multipart([*to, status, text, user, b""], _NOBLOCK)
        self._schedule_read()

    def _refuse(self, pid: int) -> None:
        """Count a refusal. The name that the peer claimed is untrusted and is not logged."""
        self.refused += 1
        self._unlogged += 1
        now = self._clock()
        if now < self._silent_until:
            return
        by = f"process {pid}" if pid else "another process"
        more = f" ({self._unlogged} since the last line)" if self._unlogged > 1 else ""
        self._silent_until, self._unlogged = now + LOG_SECONDS, 0
        self._on_warning(f"a handshake of {by} was refused: it is not a worker of this boot{more}")


def _pid(address: bytes) -> int:
    """Return the pid in a peer's address, host:uid:gid:pid; 0 if there is none."""
    pid = address.rpartition(b":")[2]
    return int(pid) if pid.isdigit() else 0
