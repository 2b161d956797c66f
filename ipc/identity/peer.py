"""Defines the names of worker incarnations on ZeroMQ links, and their proof. Pure.

The supervisor derives a token for each incarnation and passes it to the worker at its spawn. With
it the worker opens a connection (ZAP PLAIN, ``ipc.zeromq.handshakes``), and its routing id is
derived from it. Its public name, ``key#incarnation``, proves nothing and may be logged; token and
routing id are secrets and are never logged.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from ipc.hidden_fields import hide_fields

ID_BYTES = 20  # unguessable; with the first byte short enough for ZeroMQ to copy (33 bytes)


def peer_name(key: str, incarnation: int) -> str:
    """Return the public name of one incarnation, e.g. ``irc:libera#3``."""
    return f"{key}#{incarnation}"


def parse_peer(peer: bytes) -> tuple[str, int]:
    """Split a public name into key and incarnation; 0 if it has no incarnation."""
    key, _, incarnation = peer.decode(errors="replace").rpartition("#")
    return key, int(incarnation) if incarnation.isdecimal() else 0


@hide_fields("token")
class PeerCredentials(msgspec.Struct, frozen=True):
    """The credentials of one incarnation: its public name and its token."""

    name: str
    token: str

    @property
    def routing_id(self) -> bytes:
        """The secret ZeroMQ routing id.

        The authenticator of ZeroMQ does not see which routing id a connection will claim, so an
        authenticated worker could claim another's if it knew it. A hash of the token is sufficient,
        because the token is secret and BLAKE2 is not subject to length extension. It does not use
        OpenSSL, whose first use costs each worker 0.4 MiB of unshared memory.
        """
        token = self.token.encode()
        return b"w" + hashlib.blake2b(token, digest_size=ID_BYTES, person=b"routing id").digest()


class PeerProof:
    """Creates and verifies the tokens of all workers of one boot, from the boot's secret.

    A token is an HMAC rather than a random number, so the gateway can verify it without knowing
    each worker, and the order in which they start does not matter.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, key: str, incarnation: int) -> str:
        """Return the token of one incarnation."""
        name = peer_name(key, incarnation).encode()
        return hmac.new(self._secret, name, hashlib.sha256).hexdigest()

    def credentials(self, key: str, incarnation: int) -> PeerCredentials:
        """Return the credentials of one incarnation."""
        return PeerCredentials(peer_name(key, incarnation), self.token(key, incarnation))

    def verify(self, name: bytes, token: bytes) -> PeerCredentials | None:
        """Verify a token; return the credentials of its peer, or ``None`` if it is wrong."""
        key, incarnation = parse_peer(name)
        known = self.credentials(key, incarnation)
        named = name == known.name.encode()
        return known if named and hmac.compare_digest(known.token.encode(), token) else None

    def accepts(self, peer: bytes, key: str, incarnation: int, token: str) -> bool:
        """Return whether the peer with this public name is the incarnation that its hello names."""
        named = peer == peer_name(key, incarnation).encode()
        # As bytes: compare_digest raises TypeError for strings that are not ASCII.
        return named and hmac.compare_digest(self.token(key, incarnation).encode(), token.encode())
