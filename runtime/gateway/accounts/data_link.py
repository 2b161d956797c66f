"""Serves the data link of the workers: hands their messages on and sends them calls.

Every message is numbered by its worker. It is handed on once (to the clients' output, the
ring and the agent), in order, without gaps, and acknowledged afterwards, once per turn of
the event loop. Where its account has a journal it is stored before all that (``intake``). A
worker counts from the moment the supervisor has reported it running until its end is reported:
before and after that its frames change nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from ipc.errors import FrameError, PeerGone
from ipc.frames.data import (
    ADDRESSED,
    HISTORY,
    MAX_BODY_BYTES,
    AccountIdentity,
    Answer,
    Call,
    DataHello,
    FromGateway,
    HttpAnswer,
    Mark,
    Messages,
    SendProgress,
    TurnEnded,
    TurnEvents,
    TurnTaken,
    decode_from_worker,
    encode,
    flag_table,
)
from ipc.frames.status import LinkReport
from ipc.identity.peer import parse_peer
from ipc.zeromq.flood import FloodGuard
from ipc.zeromq.router import Router
from runtime.gateway.accounts.account_calls import (
    AccountCalls,
    NotAsked,
    not_connected,
    packs_of,
)
from runtime.gateway.accounts.greetings import Greetings
from runtime.gateway.accounts.handover import ClientOutput, Handover
from runtime.gateway.accounts.http_calls import HttpCalls
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.link_signs import LinkSigns
from runtime.gateway.accounts.payload_check import IdOf, ValidPart, valid_parts
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.runs.turns import TurnLink

MAX_DRAINS = 8  # of 8 MiB each: far more than the credit of all accounts
REASONS = (
    "duplicate",
    "early",
    "gap",
    "journal full",
    "late answer",
    "malformed",
    "refused",
    "stale",
    "stranger",
)
_IS_ADDRESSED = flag_table(ADDRESSED)

log = structlog.get_logger("gateway.workers")


def _warn(text: str) -> None:
    log.warning(text, link="data")


class DataRouter:
    """The gateway's end of the data link.

    ``on_message(key, flags, payload)`` is called with every message that is addressed to an
    account without a journal, ``on_welcome(key)`` when one can be called,
    ``on_progress(peer, progress)`` with how far a peer has come with a long message.
    ``dropped`` counts by reason what was not handed on.
    """

    def __init__(
        self,
        address: str,
        gateway: str,
        *,
        peers: Peers,
        calls: AccountCalls,
        http_calls: HttpCalls,
        rings: Rings,
        handover: Handover,
        intake: Intake,
        turns: TurnLink,
        output: ClientOutput,
        on_message: Callable[[str, int, bytes], None],
        on_welcome: Callable[[str], None],
        on_progress: Callable[[Peer, SendProgress], None] = lambda peer, progress: None,
    ) -> None:
        self._on_progress = on_progress
        self._peers = peers
        self._by_id = peers.by_id
        self._calls = calls
        self._queued = calls.queued
        self._http_calls = http_calls
        self._turns = turns
        self._rings = rings
        self._handover = handover
        self._intake = intake
        self._output = output
        self._flush_soon = output.flush_soon
        self._on_message = on_message
        self._unacked: set[Peer] = set()
        self._clock = asyncio.get_running_loop().time
        self._duplicates: Counter[str] = Counter()  # by key
        self.dropped: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self._router = Router(
            address,
            peers.proof,
            self._on_frame,
            max_bytes=MAX_BODY_BYTES,
            on_error=self._on_error,
            on_warning=_warn,
        )
        self._signs = LinkSigns(peers.accounts, peers, self._clock)
        self._guard = FloodGuard(
            self._router,
            self._on_rebound,
            _warn,
            held=lambda: output.held_bytes + http_calls.memory_bytes,
        )
        self._greetings = Greetings(
            gateway, peers, rings, intake, self._send, self.dropped, self._clock, on_welcome
        )
        http_calls.attach(self._router.send, self._greetings.before_call)
        turns.attach(self._router.send)
        intake.attach(
            self._acknowledge_soon, self._greetings.invite, self._greetings.on_journal_change
        )

    @property
    def messages(self) -> int:
        """The number of messages handed on."""
        return self._handover.messages

    def _on_frame(self, id: bytes, body: bytes) -> None:
        peer = self._by_id.get(id)
        for each in decode_from_worker(body):
            if type(each) is Messages:
                if peer is not None and peer.welcome and each.first == peer.seen + 1:
                    self._receive(peer, each)
                else:
                    self._receive_out_of_order(id, peer, each)
            elif type(each) is Answer:
                if not self._calls.on_answer(peer, each):
                    self.dropped["late answer"] += 1
            elif type(each) is HttpAnswer:
                self.dropped["late answer"] += not self._http_calls.on_answer(peer, each)
            elif type(each) is DataHello:
                peer = self._greetings.on_hello(id, each) or peer
            elif isinstance(each, TurnEvents | TurnEnded | TurnTaken):
                if peer is not None and peer.welcome:
                    self._turns.on_frame(peer, each)
                else:  # it takes us for another gateway: what it keeps comes after its hello
                    self._greetings.ask_for_hello(id)
            elif isinstance(each, AccountIdentity):
                if peer is not None and self._intake.is_on(peer.key) and self._intake.ready:
                    self._intake.store_identity(peer, each)
                    self._flush_soon()
            elif type(each) is SendProgress:
                if peer is not None:
                    self._on_progress(peer, each)
            elif type(each) is Mark and peer is not None and peer.welcome:
                self._on_mark(peer, each)

    def _receive(self, peer: Peer, pack: Messages) -> None:
        """Receive a pack of messages and publish it, stored first if the account has a journal."""
        if self._intake.is_on(peer.key):
            self._store(peer, self._own_parts(peer, pack), pack)
            return
        if peer.check.heads_fit(pack):
            parts = [pack]
        else:
            parts = [part for part, _ in self._valid_parts(peer, pack, peer.check.check_head)]
        peer.seen = pack.last
        if peer.done == pack.first - 1:
            self._publish(peer, pack.last, parts)
        else:  # those before came with a journal: to acknowledge these would acknowledge them
            self._intake.run_once_stored(peer.key, lambda: self._publish(peer, pack.last, parts))

    def _publish(self, peer: Peer, last: int, parts: list[Messages]) -> None:
        """Acknowledge and publish messages of an account without a journal."""
        peer.done = last
        if peer not in self._unacked:
            self._acknowledge_soon(peer)
        for each in parts:
            payloads = each.payloads
            self._handover.publish(peer.key, peer.incarnation, each.first, each.flags, payloads)
            if 1 in each.flags.translate(_IS_ADDRESSED):
                for flags, payload in zip(each.flags, payloads, strict=True):
                    if flags & ADDRESSED:
                        self._on_message(peer.key, flags, payload)

    def _store(self, peer: Peer, parts: list[ValidPart], pack: Messages) -> None:
        if self._intake.store(peer, parts, pack):
            self._intake.flush()  # now: where the loop is busy its next turn is far away
        else:
            peer.welcome = False
            self.dropped["journal full"] += len(pack.payloads)

    def _on_mark(self, peer: Peer, mark: Mark) -> None:
        """Handle a plugin's position at its platform that comes without a message."""
        if self._intake.is_on(peer.key):
            self._intake.store_mark(peer, mark)
            self._flush_soon()
        elif peer.done < mark.after <= peer.seen:  # as for messages: those before wait to be stored
            self._intake.run_once_stored(peer.key, lambda: self._acknowledge_mark(peer, mark.id))
        else:
            self._acknowledge_mark(peer, mark.id)

    def _acknowledge_mark(self, peer: Peer, mark: int) -> None:
        peer.mark = max(peer.mark, mark)
        self._acknowledge_soon(peer)

    def _acknowledge_soon(self, peer: Peer) -> None:
        self._unacked.add(peer)
        self._flush_soon()

    def _own_parts(self, peer: Peer, pack: Messages) -> list[ValidPart]:
        """Return the valid parts of a pack: payloads that name no other account."""
        known = peer.check.ids_of(pack)
        if known is not None:
            return [ValidPart(pack, known)]
        return self._valid_parts(peer, pack, peer.check.id_of)

    def _valid_parts(self, peer: Peer, pack: Messages, id_of: IdOf) -> list[ValidPart]:
        """Return the parts whose payloads ``id_of`` accepts; count and log the others."""
        parts, refused, why = valid_parts(pack, id_of)
        if refused:
            before, peer.malformed = peer.malformed, peer.malformed + refused
            self.dropped["malformed"] += refused
            if before.bit_length() != peer.malformed.bit_length():  # ever more seldom
                log.warning("messages dropped", peer=peer.name, count=peer.malformed, why=why)
        return parts

    def send_calls(self) -> None:
        """Send each worker the calls of this turn, with the acknowledgement of its messages. They
        go together, because a message costs ZeroMQ more than all that is in it.
        """
        if not self._queued:
            return
        queued = list(self._queued.items())
        self._queued.clear()
        patient, unacked = self._output.patient, self._unacked
        for peer, calls in queued:
            if peer in unacked and not patient:
                unacked.remove(peer)
                self._send_calls(peer, calls, self._intake.ack(peer))
            else:
                self._send_calls(peer, calls)

    def acknowledge(self) -> None:
        """Acknowledge the messages handed on in this turn of the loop, once clients were sent them.

        While a client is behind, nothing is acknowledged, for a moment: so a flood is as fast as
        clients that read can read it, and does not get them closed. Calm accounts notice nothing:
        they have credit left.
        """
        if self._unacked and not self._output.patient:
            unacked, self._unacked = self._unacked, set()
            for peer in unacked:
                self._send(peer.id, self._intake.ack(peer))

    def _send_calls(self, peer: Peer, calls: list[Call], *first: FromGateway) -> None:
        for pack in packs_of(calls):
            frames: list[FromGateway] = [*first, *pack]
            first = ()
            try:
                if not self._router.send(peer.id, encode(frames)):
                    self._calls.fail(pack, NotAsked("the account is busy"))
            except PeerGone:
                self._calls.fail(pack, not_connected(peer))

    def drain_now(self) -> None:
        """Process all frames that have arrived, before the end of an incarnation is published."""
        for _ in range(MAX_DRAINS):
            if self._router.drain_now():
                return

    def on_report(self, key: str) -> None:
        """Handle a new report about ``key``: welcome ready peers, drop ended ones."""
        self._peers.on_change()
        self._greetings.apply_journal(key)
        for peer in self._peers.of_account(key):
            if self._peers.has_ended(peer):
                self._peers.forget(peer)
                self._unacked.discard(peer)
                self._calls.forget(peer)
                self._http_calls.forget(peer)
                self._intake.forget(peer)
            elif not peer.welcome and not peer.held:
                self._greetings.greet(peer)

    def forget(self, key: str, last: int) -> None:
        """Drop the state of a removed account; ``last`` was its last incarnation."""
        self._duplicates.pop(key, None)
        self._http_calls.bounds.forget(key)
        self._router.forget(key, last)

    def close(self) -> None:
        """Close the link and fail all waiting calls."""
        self._calls.fail_all()
        self._guard.close()
        self._router.close()

    def report(self) -> LinkReport:
        """Return the state of the link for the supervisor."""
        self.drain_now()  # our own delay is not the workers'
        journal = self._intake.journal
        return LinkReport(
            silent=self._signs.silent(),
            duplicates=dict(self._duplicates),
            repeated=dict(self._intake.repeated),
            journal=(journal and journal.fault) or "",
            lost=sorted(journal.lost) if journal else [],
            repaired=(journal and journal.repaired) or "",
            handshakes_refused=self._router.refused,
            floods=self._guard.floods,
            reconnecting=self._router.reconnecting,
        )

    def _on_rebound(self) -> None:
        """Fail the calls whose answers the closed connections may have held."""
        for peer in list(self._peers.by_id.values()):
            self._calls.forget(peer)
            self._http_calls.forget(peer)

    def _receive_out_of_order(self, id: bytes, peer: Peer | None, pack: Messages) -> None:
        """Drop repeated messages, and those after a gap or from an unknown peer."""
        count = len(pack.payloads)
        if peer is None:
            stale = self._peers.is_past(*parse_peer(id))
            self.dropped["stale" if stale else "stranger"] += count
            self._greetings.ask_for_hello(id)
        elif pack.flags[0] & HISTORY and pack.last <= peer.seen:
            valid = [part for part, _ in self._own_parts(peer, pack)] == [pack]
            self._greetings.on_history(peer, pack, valid=valid)
        elif pack.first <= peer.seen:
            known = min(pack.last, peer.seen) - pack.first + 1
            self.dropped["duplicate"] += known
            self._duplicates[peer.key] += known
            self._acknowledge_soon(peer)
            if known < count:
                rest = pack.part(peer.seen + 1, pack.last)
                (self._receive if peer.welcome else self._refuse)(peer, rest)
        else:
            self._refuse(peer, pack)

    def _refuse(self, peer: Peer, pack: Messages) -> None:
        """Drop messages after a gap and ask for a hello, after which they come again."""
        if peer.held:
            self.dropped["journal full"] += len(pack.payloads)
            return
        self.dropped["gap" if peer.welcome else "early"] += len(pack.payloads)
        peer.welcome = False
        self._greetings.ask_for_hello(peer.id)

    def _send(self, id: bytes, message: FromGateway) -> bool:
        try:
            return self._router.send(id, encode([message]))
        except PeerGone:
            return False

    def _on_error(self, error: Exception) -> None:
        self.dropped["malformed"] += 1
        if isinstance(error, FrameError):
            log.warning("worker frame refused", peer=error.peer, why=str(error))
        else:
            log.error("worker frame failed", exc_info=error)
