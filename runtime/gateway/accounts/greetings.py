"""Answers the hellos of workers: whether one is welcome, and from which message it continues.

A worker that was welcomed sends. One whose plugin starts with its stored position is sent that
before its account runs, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog

from ipc.frames.data import DataHello, FromGateway, Messages, Refused, Welcome
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.accounts.ring import Rings

HELLO_FIRST = "hello first"
MAX_STRANGERS = 4096
ASK_AGAIN = 0.05  # seconds between two requests to one peer to say hello first

log = structlog.get_logger("gateway.workers")


class Greetings:
    """Welcomes or refuses peers. ``gateway`` is the boot id.

    ``send(id, frame)`` sends a peer a frame and returns whether it was accepted, ``dropped``
    counts by reason, ``clock()`` returns seconds that only grow. ``on_welcome(key)`` is called
    when an account or an agent can be called.
    """

    def __init__(
        self,
        gateway: str,
        peers: Peers,
        rings: Rings,
        intake: Intake,
        send: Callable[[bytes, FromGateway], bool],
        dropped: Counter[str],
        clock: Callable[[], float],
        on_welcome: Callable[[str], None],
    ) -> None:
        self._gateway = gateway
        self._peers = peers
        self._rings = rings
        self._intake = intake
        self._send = send
        self._dropped = dropped
        self._clock = clock
        self._on_welcome = on_welcome
        self._asked: dict[bytes, float] = {}  # when to say hello first

    def on_hello(self, id: bytes, hello: DataHello) -> Peer | None:
        """Handle a hello; return its peer if it proves its identity, else ``None``."""
        if not self._peers.accepts(id, hello):
            self._dropped["refused"] += 1
            log.warning("worker refused", peer=id.decode(errors="replace"))
            self._send(id, Refused("wrong token"))
            return None
        if self._peers.is_past(hello.key, hello.incarnation):
            self._dropped["stale"] += 1
            self._send(id, Refused("this incarnation has ended"))
            return None
        peer = self._peers.ensure(id, hello.key, hello.incarnation)
        peer.hellos += 1
        peer.oldest, peer.kept, peer.waits = hello.oldest, hello.kept, hello.waits
        if peer.held:
            self._send(id, self._intake.ack(peer))  # we are here, and have no room
        else:
            self.greet(peer)
        return peer

    def greet(self, peer: Peer) -> None:
        """Welcome a peer that is reported ready, or whose plugin waits for its position.

        The position is that after everything that the account has sent before.
        """
        intake = self._intake
        if self._peers.accounts.row(peer.key) is None:
            return  # the row says whether there is a journal, and it will be greeted with it
        if intake.is_on(peer.key) and not intake.ready:
            self._notify_halt(peer)
            return
        self._set_position(peer)
        if self._peers.may_talk(peer):
            intake.run_in_order(peer.key, lambda: self._welcome(peer))
        elif peer.waits:
            intake.run_in_order(peer.key, lambda: self._welcome(peer, early=True))

    def _set_position(self, peer: Peer) -> None:
        """Set the peer's position to what an earlier gateway has acknowledged or stored."""
        place = self._intake.place(peer.key)
        before = peer.oldest - 1
        if place is not None and place.incarnation == peer.incarnation:
            before = max(before, place.seq)
        ring = self._rings.of(peer.key)
        ring.begin(peer.incarnation, before, anew=before > peer.seen)
        peer.seen, peer.done = max(peer.seen, before), max(peer.done, before)
        peer.recalled = []
        peer.wanted = 0 if place is not None else ring.first_missing(peer.incarnation, peer.kept)

    def on_history(self, peer: Peer, pack: Messages, *, valid: bool) -> None:
        """Add messages that an earlier gateway has published to the ring only.

        ``valid``: all of them may be handed on.
        """
        recalled, floor = peer.recalled, self._rings.of(peer.key).floor
        in_order = not recalled or pack.first == recalled[-1][0] + 1
        if not peer.wanted or not in_order or not valid:
            peer.wanted, peer.recalled = 0, []
            self._peers.on_change()
            return
        recalled += enumerate(pack.payloads, pack.first)
        if floor == (peer.incarnation, pack.last):
            self._rings.fill(peer.key, peer.incarnation, recalled)
            peer.wanted, peer.recalled = 0, []
            self._peers.on_change()

    def _welcome(self, peer: Peer, *, early: bool = False) -> None:
        """Send a welcome. A peer that was welcome stays so where it cannot be sent: one that has
        died says nothing more, and what it said behind this hello is in order.
        """
        if self._peers.by_id.get(peer.id) is not peer:
            return
        sent = self._send(peer.id, self._welcome_of(peer, early=early))
        if early:
            peer.waits = not sent
        elif sent:
            new, peer.welcome = not peer.welcome, True
            self._asked.pop(peer.id, None)
            self._peers.welcome(peer)
            self._notify_halt(peer)
            if new:
                self._on_welcome(peer.key)

    def _notify_halt(self, peer: Peer) -> None:
        """Notify a peer if its messages cannot be stored at the moment."""
        ack = self._intake.ack(peer)
        if ack.halted:
            self._send(peer.id, ack)

    def before_call(self, peer: Peer) -> list[Welcome]:
        """Return the frames to send before a call: an early welcome if the peer is not ready."""
        return [] if self._peers.may_talk(peer) else [self._welcome_of(peer, early=True)]

    def _welcome_of(self, peer: Peer, *, early: bool) -> Welcome:
        place = self._intake.place(peer.key)
        cursor, identity = (b"", "") if place is None else (place.cursor, place.identity)
        durable = self._intake.is_on(peer.key)
        return Welcome(self._gateway, peer.done, peer.wanted, durable, cursor, identity, early)

    def on_journal_change(self) -> None:
        """Greet the peers whose hello came before the journal was ready."""
        for peer in list(self._peers.by_id.values()):
            if not peer.welcome and not peer.held:
                self.greet(peer)

    def apply_journal(self, key: str) -> None:
        """Apply the journal setting of an account's row; start its answers if it is switched on.

        Its worker may have been welcomed without one, and is not greeted again. One that loses it
        is: what is acknowledged from now on is not stored.
        """
        had = self._intake.is_on(key)
        self._intake.configure(key)
        has = self._intake.is_on(key)
        welcome = [peer for peer in self._peers.of_account(key) if peer.welcome]
        if has and not had and welcome:
            self._intake.run_in_order(key, lambda: self._on_welcome(key))
        if had and not has:
            for peer in welcome:
                self._send(peer.id, self._welcome_of(peer, early=False))

    def invite(self, peer: Peer) -> None:
        """Request a new hello from a refused peer."""
        if self._peers.by_id.get(peer.id) is peer:
            self._asked.pop(peer.id, None)
            self.ask_for_hello(peer.id)

    def ask_for_hello(self, id: bytes) -> None:
        """Request a hello, at a limited rate: a flood must not cause one."""
        now = self._clock()
        if now - self._asked.get(id, 0.0) < ASK_AGAIN:
            return
        if len(self._asked) >= MAX_STRANGERS:
            self._asked.clear()
        self._asked[id] = now
        self._send(id, Refused(HELLO_FIRST))
