"""Keeps the authenticated peers, and lets calls wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterable

from ipc import timeouts
from ipc.errors import RemoteError
from ipc.frames.data import DataHello
from ipc.frames.words import UNAVAILABLE, Phase, is_agent
from ipc.identity.peer import PeerProof
from runtime.gateway.accounts.payload_check import PayloadCheck
from runtime.gateway.accounts.rows import Accounts, is_linking

MEET_SECONDS = 2.0  # in which a running account says hello to a new gateway


class Peer:
    """One incarnation of one account or agent that has proved its identity.

    ``seen`` is the newest message taken, ``done`` the newest that may be acknowledged: it has been
    handed on, and stored before where the account has a journal; ``mark`` is the newest mark of
    which that is true. ``held``: it was refused for want of room, until it is invited again.
    ``oldest``, ``kept`` and ``waits`` are what it said in its last hello (see ``DataHello``).
    ``welcome`` is false until the peer may talk, and again after a gap, until it has said hello
    anew; ``hellos`` counts those. ``wanted`` is the number from which on it is asked for history
    (0: it is not), ``recalled`` what has come of that. ``check`` is what its payloads must pass,
    ``malformed`` counts those that did not.
    """

    __slots__ = (
        "check",
        "done",
        "held",
        "hellos",
        "id",
        "incarnation",
        "kept",
        "key",
        "malformed",
        "mark",
        "name",
        "oldest",
        "recalled",
        "seen",
        "waits",
        "wanted",
        "welcome",
    )

    def __init__(self, id: bytes, key: str, incarnation: int) -> None:
        self.id = id
        self.name = id.decode()
        self.key = key
        self.incarnation = incarnation
        self.done = self.mark = 0
        # An agent has turns, and no messages: each counts as one that came twice.
        self.seen = sys.maxsize if is_agent(key) else 0
        self.oldest, self.kept = 1, 0
        self.held = self.waits = False
        self.hellos = 0
        self.welcome = False
        self.wanted = 0
        self.recalled: list[tuple[int, bytes]] = []
        self.check = PayloadCheck(key, incarnation)
        self.malformed = 0


OnPeer = Callable[[Peer], None]


class Peers:
    """All peers by public name (``by_id``), and the welcome ones by account key (``by_key``).

    ``proof`` is what admits their connections and checks their hellos, ``accounts`` are the rows.
    """

    def __init__(self, accounts: Accounts, proof: PeerProof) -> None:
        self.by_id: dict[bytes, Peer] = {}
        self.by_key: dict[str, Peer] = {}
        self.accounts = accounts
        self.proof = proof
        self._changed = asyncio.Event()
        self._followers: list[tuple[OnPeer, OnPeer]] = []

    def follow(self, welcomed: OnPeer, forgotten: OnPeer) -> None:
        """Call ``welcomed`` after each welcome of a peer, ``forgotten`` once it has ended."""
        self._followers.append((welcomed, forgotten))

    def accepts(self, id: bytes, hello: DataHello) -> bool:
        """Return whether the peer with this name is the incarnation that its hello names."""
        return self.proof.accepts(id, hello.key, hello.incarnation, hello.token)

    def is_past(self, key: str, incarnation: int) -> bool:
        """Return whether this incarnation is reported as ended."""
        return self.accounts.is_past(key, incarnation)

    def has_ended(self, peer: Peer) -> bool:
        """Return whether a peer's incarnation has ended or its account was removed."""
        return self.is_past(peer.key, peer.incarnation) or self.accounts.row(peer.key) is None

    def may_talk(self, peer: Peer) -> bool:
        """Return whether a peer is reported ready, so that its messages count."""
        return self.accounts.may_talk(peer.key, peer.incarnation)

    def ensure(self, id: bytes, key: str, incarnation: int) -> Peer:
        """Return the peer with this name; add it if it is new."""
        peer = self.by_id.get(id)
        if peer is None:
            peer = self.by_id[id] = Peer(id, key, incarnation)
            self._changed.set()
        return peer

    def welcome(self, peer: Peer) -> None:
        """Register a peer in ``by_key``, so that calls to its account reach it."""
        self.by_key[peer.key] = peer
        self._changed.set()
        for welcomed, _ in self._followers:
            welcomed(peer)

    def forget(self, peer: Peer) -> None:
        """Remove a peer whose incarnation has ended."""
        del self.by_id[peer.id]
        if self.by_key.get(peer.key) is peer:
            del self.by_key[peer.key]
        for _, forgotten in self._followers:
            forgotten(peer)

    def of_account(self, key: str) -> list[Peer]:
        """Return the peers of an account: more than one while it is replaced."""
        return [peer for peer in self.by_id.values() if peer.key == key]

    def on_change(self) -> None:
        """Wake the waiting calls: a report has come, or history is complete."""
        self._changed.set()

    async def wait_for(self, key: str) -> Peer:
        """Wait at most ``MEET_SECONDS`` until the peer of a running account is welcome; return it.

        A gateway that has just begun admits clients before it has met all accounts. Raises
        ``RemoteError`` for an account that is not there: ``NOT_LINKED`` where it waits for a login.
        """
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(MEET_SECONDS):
                while self._is_running(key) and key not in self.by_key:
                    self._changed.clear()
                    await self._changed.wait()
        peer = self.by_key.get(key)
        if peer is None:
            self.accounts.require_linked(key)
            raise RemoteError(UNAVAILABLE, self.why_absent(key), retryable=True)
        return peer

    async def wait_for_http(self, key: str) -> Peer:
        """Wait for the peer of an account that takes HTTP requests; raises as ``wait_for``.

        One that a person logs in has said hello, and is not welcome yet.
        """
        if (found := self._peer_for_http(key)) is not None:
            return found
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(MEET_SECONDS):
                while (peer := self._peer_for_http(key)) is None and self.accounts.accepts_http(
                    key
                ):
                    self._changed.clear()
                    await self._changed.wait()
        if peer is None:
            raise RemoteError(UNAVAILABLE, self.why_absent(key), retryable=True)
        return peer

    def _peer_for_http(self, key: str) -> Peer | None:
        row = self.accounts.rows.get(key)
        if row is None or not is_linking(row):
            return self.by_key.get(key)
        return next(
            (
                peer
                for peer in self.of_account(key)
                if peer.incarnation == row.incarnation and not peer.waits
            ),
            None,
        )

    async def wait_for_history(self, keys: Iterable[str], seconds: float) -> None:
        """Wait at most ``seconds`` until the accounts have sent their remaining history."""
        keys = list(keys)
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(seconds):
                while not all(map(self._has_all_history, keys)):
                    self._changed.clear()
                    await self._changed.wait()

    def _has_all_history(self, key: str) -> bool:
        """Return whether no more of an account's history is expected."""
        if not self._is_running(key):
            return True
        peer = self.by_key.get(key)
        return peer is not None and not peer.wanted

    def _is_running(self, key: str) -> bool:
        row = self.accounts.row(key)
        return row is not None and row.phase == Phase.RUNNING

    def why_absent(self, key: str) -> str:
        """Return the reason why an account, or an agent, cannot be called."""
        row = self.accounts.row(key)
        if row is None:
            return f"{key} is not known"
        if row.phase == Phase.RUNNING:
            return f"{key} is not connected yet"
        why = row.cause or row.last_error
        return f"{key} is not running ({row.phase}{f': {why}' if why else ''})"
