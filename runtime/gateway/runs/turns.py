"""Sends turns to the workers of agents: the gateway's end of ``workers.process.turns``.

What comes is handed on as ``turn_carrier`` does it; until it is acknowledged the agent's process
keeps it. What is decided, ``turn_table`` decides.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from ipc.errors import PeerGone
from ipc.frames.data import PACK_BYTES, PACK_FRAMES, TurnBegin, TurnEvents, encode
from ipc.frames.words import is_agent
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.runs.turn_carrier import TurnCarrier
from runtime.gateway.runs.turn_table import (
    SendDown,
    TurnFrameDown,
    TurnFrameUp,
)

SMALL_BYTES = 100  # about what a frame takes without a payload
EVENTS_A_TURN = 64  # of all agents in one turn of the loop, 0.5 ms; the others wait for the next
MAX_QUEUED = 20_000  # frames to one process that does not read; then those that say the same go

Send = Callable[[bytes, bytes], bool]


class TurnLink(TurnCarrier):
    """The turns of all agents. ``on_ready(agent, incarnation)`` is called when one can take turns.

    ``clock()`` is the time in epoch seconds.
    """

    def __init__(
        self,
        peers: Peers,
        *,
        on_ready: Callable[[str, int], None] = lambda agent, incarnation: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(self._queue, clock=clock)
        self._peers = peers
        self._on_ready = on_ready
        self._send: Send = lambda peer, body: False
        self._queued: dict[Peer, list[TurnFrameDown]] = {}
        self._scheduled = False
        self._waiting: deque[tuple[Peer, TurnFrameUp]] = deque()  # frames, for another turn
        self._left = EVENTS_A_TURN  # in this turn of the loop
        self._renewing = False
        peers.follow(self._on_welcome, self._on_forgotten)

    def attach(self, send: Send) -> None:
        """Set the function that sends bodies to peers, with the interface of ``Router.send``."""
        self._send = send

    def incarnation_of(self, agent: str) -> int:
        """Return the incarnation of an agent that can take turns, 0 for none."""
        return self._table.incarnation_of(agent)

    def on_frame(self, peer: Peer, frame: TurnFrameUp) -> None:
        """Handle a frame of a welcome peer; of many, some in a later turn of the loop."""
        self._waiting.append((peer, frame))
        if len(self._waiting) == 1:
            self._process_some()

    def close(self) -> None:
        """Stop: the turns go on, and the next gateway resumes them."""
        super().close()
        self._queued.clear()
        self._waiting.clear()

    def _process_some(self) -> None:
        if not self._renewing:
            self._renewing = True
            self._loop.call_soon(self._process_more)
        while self._waiting and self._left > 0:
            self._process_next()

    def _process_next(self) -> None:
        peer, frame = self._waiting.popleft()
        self._left -= len(frame.payloads) if isinstance(frame, TurnEvents) else 1
        self._execute(self._table.receive(peer.key, peer.incarnation, frame))

    def _process_more(self) -> None:
        """Handle the next share of the waiting frames, in a new turn of the loop."""
        self._renewing = False
        self._left = EVENTS_A_TURN
        if self._waiting:
            self._process_some()

    def _process_all(self) -> None:
        """Handle all waiting frames, before a change of their agents is handled."""
        while self._waiting:
            self._process_next()

    def _on_welcome(self, peer: Peer) -> None:
        if not is_agent(peer.key):
            return
        self._process_all()
        before = self._table.incarnation_of(peer.key)
        if self._queued.get(peer) and not self._flush_to(peer):
            return  # it does not read: no more of the same
        self._execute(self._table.on_welcome(peer.key, peer.incarnation))
        if before != peer.incarnation:
            self._on_ready(peer.key, peer.incarnation)

    def _on_forgotten(self, peer: Peer) -> None:
        if is_agent(peer.key):
            self._process_all()
            self._queued.pop(peer, None)
            self._execute(self._table.on_agent_end(peer.key, peer.incarnation))

    def _queue(self, action: SendDown) -> None:
        peer = self._peers.by_key.get(action.agent)
        if peer is None or peer.incarnation != action.incarnation:
            return  # it is sent again when that is welcome
        queued = self._queued.setdefault(peer, [])
        queued.append(action.frame)
        if len(queued) % MAX_QUEUED == 0:
            queued[:] = without_repeats(queued)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        for peer in list(self._queued):
            self._flush_to(peer)

    def _flush_to(self, peer: Peer) -> bool:
        """Send the queued frames of a peer; return whether none is left.

        What a queue has no room for waits for the next welcome, or the next frame.
        """
        frames = self._queued.pop(peer, [])
        for start, pack in packs_of_turns(frames):
            try:
                if not self._send(peer.id, encode(pack)):
                    self._queued[peer] = frames[start:]
                    return False
            except PeerGone:  # the worker sends again what this would have acknowledged
                return True
        return True


def without_repeats(frames: list[TurnFrameDown]) -> list[TurnFrameDown]:
    """Return frames, in order, without those that a later frame of the same turn replaces."""
    last = {(type(frame), frame.turn): place for place, frame in enumerate(frames)}
    return [frame for place, frame in enumerate(frames) if last[type(frame), frame.turn] == place]


def packs_of_turns(frames: list[TurnFrameDown]) -> Iterator[tuple[int, list[TurnFrameDown]]]:
    """Yield frames in packs that are not too large, each with the place of its first."""
    pack: list[TurnFrameDown] = []
    start, size = 0, 0
    for place, frame in enumerate(frames):
        length = SMALL_BYTES + (len(frame.payload) if isinstance(frame, TurnBegin) else 0)
        if pack and (len(pack) >= PACK_FRAMES or size + length > PACK_BYTES):
            yield start, pack
            pack, start, size = [], place, 0
        pack.append(frame)
        size += length
    if pack:
        yield start, pack
