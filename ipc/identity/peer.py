"""Names the incarnations of workers on ZeroMQ links, and checks their tokens. Pure.

The supervisor makes the token of each incarnation and gives it to the worker at its
spawn; supervisor and gateway check it in the hello on their links.
"""

from __future__ import annotations

import hashlib
import hmac


def peer_name(key: str, incarnation: int) -> str:
    """Return the ZeroMQ routing id of one incarnation, e.g. ``irc:libera#3``."""
    return f"{key}#{incarnation}"


def parse_peer(peer: bytes) -> tuple[str, int]:
    """Return key and incarnation of a routing id; incarnation 0 where it names none."""
    key, _, incarnation = peer.decode(errors="replace").rpartition("#")
    return key, int(incarnation) if incarnation.isdecimal() else 0


class PeerProof:
    """Makes and checks the tokens of all workers of one boot, from the boot's secret.

    A token is an HMAC rather than a random number: the gateway can check it without being
    told about each worker, so neither side depends on the order in which they start.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, key: str, incarnation: int) -> str:
        """Return the token of one incarnation."""
        name = peer_name(key, incarnation).encode()
        return hmac.new(self._secret, name, hashlib.sha256).hexdigest()

    def accepts(self, peer: bytes, key: str, incarnation: int, token: str) -> bool:
        """Return whether the peer with this routing id is the incarnation that its hello names."""
        named = peer == peer_name(key, incarnation).encode()
        # As bytes: compare_digest raises TypeError for strings that are not ASCII.
        return named and hmac.compare_digest(self.token(key, incarnation).encode(), token.encode())
