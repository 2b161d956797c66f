"""Creates and checks the tickets that grant access to a message's file over HTTP. Pure.

A ticket is bound to one file of one account, and to its end. It is no secret of the gateway: who
has the address with it may fetch that file for five minutes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote

from ipc.freshness import is_fresh

TICKET_SECONDS = 300
MAX_TICKET = 512  # characters
_LABEL = b"trunkline media ticket 1\0"


class MediaTickets:
    """Tickets signed with a key derived from the ``secret`` of this boot."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _LABEL, hashlib.sha256)

    def address(self, account: str, id: str, now: float) -> str:
        """Return path and query of a file, valid for ``TICKET_SECONDS`` after ``now``."""
        ends = int(now) + TICKET_SECONDS
        name = _text(account.encode())
        return f"/media/{id}?t={quote(f'{ends}.{name}.{self._proof(account, id, ends)}')}"

    def account(self, ticket: str, id: str, now: float) -> str | None:
        """Return the account whose file ``ticket`` is for; ``None`` if the ticket is not valid."""
        if len(ticket) > MAX_TICKET or not ticket.isascii() or ticket.count(".") != 2:
            return None
        until, name, proof = ticket.split(".")
        try:
            ends = int(until)
            account = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        except ValueError:
            return None
        if not hmac.compare_digest(proof, self._proof(account, id, ends)):
            return None
        return account if is_fresh(ends - TICKET_SECONDS, TICKET_SECONDS, now) else None

    def _proof(self, account: str, id: str, ends: int) -> str:
        bound = f"{account}\0{id}\0{ends}".encode()
        return _text(hmac.digest(self._key, bound, hashlib.sha256)[:24])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
