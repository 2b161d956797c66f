"""Keeps the one-time tokens by which this host's operator signs a browser in.

In memory only, and for a minute: `trunkline open` makes one and hands it to a browser. The first
device that brings it is the one that it is for; its key is then approved. That device may bring it
again within the minute, for the answer may have been lost.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

import msgspec

from ipc.freshness import is_fresh
from runtime.gateway.access.scopes import ADMIN, PAIRING, READ, WRITE

LIFE_MS = 60_000
MOST = 16  # the oldest goes
TOKEN_BYTES = 32
SCOPES = (ADMIN, READ, WRITE, PAIRING)  # what the console needs


class BootstrapToken(msgspec.Struct):
    """An issued token: its expiry, its scopes and its device."""

    expires_at: int
    scopes: tuple[str, ...]
    device: str | None = None


class BootstrapTokens:
    """The one-time tokens. Times are epoch milliseconds, passed by the caller."""

    def __init__(self) -> None:
        self._tokens: dict[bytes, BootstrapToken] = {}  # by the hash of the token

    def create(self, scopes: Iterable[str], now: int) -> tuple[str, int]:
        """Create a token for these scopes; return it and its expiry."""
        self._expire(now)
        if len(self._tokens) >= MOST:
            del self._tokens[next(iter(self._tokens))]
        text = secrets.token_urlsafe(TOKEN_BYTES)
        made = self._tokens[_hash(text)] = BootstrapToken(now + LIFE_MS, tuple(scopes))
        return text, made.expires_at

    def redeem(self, text: str, device: str, now: int) -> tuple[str, ...] | None:
        """Return the scopes of a token, and bind it to ``device``.

        ``None``: there is no such token, it is over, or it is another device's.
        """
        self._expire(now)
        found = self._tokens.get(_hash(text))
        if found is None or found.device not in (None, device):
            return None
        found.device = device
        return found.scopes

    def _expire(self, now: int) -> None:
        for key, token in list(self._tokens.items()):
            if not is_fresh(token.expires_at - LIFE_MS, LIFE_MS, now):
                del self._tokens[key]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
