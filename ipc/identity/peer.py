"""Names the incarnations of workers on ZeroMQ links, and proves them. Pure.

The supervisor makes the token of each incarnation and gives it to the worker at its
spawn. With it the worker opens a connection (ZAP PLAIN, ``ipc.zeromq.handshakes``), and from it
follows the routing id under which it speaks. Its public name, ``key#incarnation``, proves
nothing and may stand in logs; token and routing id are secrets and stand in none.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

ID_BYTES = 20  # unguessable; with the first byte short enough for ZeroMQ to copy (33 bytes)


def peer_name(key: str, incarnation: int) -> str:
    """Return the public name of one incarnation, e.g. ``irc:libera#3``."""
    return f"{key}#{incarnation}"


def parse_peer(peer: bytes) -> tuple[str, int]:
    """Return key and incarnation of a public name; incarnation 0 where it names none."""
    key, _, incarnation = peer.decode(errors="replace").rpartition("#")
    return key, int(incarnation) if incarnation.isdecimal() else 0


class PeerCredentials(msgspec.Struct, frozen=True):
    """What one incarnation connects with: its public name and its token."""

    name: str
    token: str

    def __repr__(self) -> str:
        return f"PeerCredentials({self.name!r})"  # what prints it must not print the token

    @property
    def routing_id(self) -> bytes:
        """The secret ZeroMQ routing id.

        ZeroMQ does not tell the authenticator which routing id a connection will claim. So a
        proven worker could claim another's, if it knew it. A hash of the token suffices, since
        the token is secret and BLAKE2 cannot be extended. It is not OpenSSL's: the first use of
        that costs each worker 0.4 MiB that no other process shares.
        """
        token = self.token.encode()
        return b"w" + hashlib.blake2b(token, digest_size=ID_BYTES, person=b"routing id").digest()


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

    def credentials(self, key: str, incarnation: int) -> PeerCredentials:
        """Return what one incarnation connects with."""
        return PeerCredentials(peer_name(key, incarnation), self.token(key, incarnation))

    def admits(self, name: bytes, token: bytes) -> PeerCredentials | None:
        """Return the credentials of the peer that this token proves, ``None`` if it does not."""
        key, incarnation = parse_peer(name)
        known = self.credentials(key, incarnation)
        named = name == known.name.encode()
        return known if named and hmac.compare_digest(known.token.encode(), token) else None

    def accepts(self, peer: bytes, key: str, incarnation: int, token: str) -> bool:
        """Return whether the peer with this public name is the incarnation its hello names."""
        named = peer == peer_name(key, incarnation).encode()
        # As bytes: compare_digest raises TypeError for strings that are not ASCII.
        return named and hmac.compare_digest(self.token(key, incarnation).encode(), token.encode())
