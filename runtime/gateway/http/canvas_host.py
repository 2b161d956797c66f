"""Holds the canvas host's addresses, its tickets and the results of its requests.

A browser or a node fetches a page and what belongs to it without headers of ours. So beside the
secret of the gateway a ticket in the path counts, as in OpenClaw:
``/__openclaw__/cap/TICKET/__openclaw__/canvas/…``. It opens the canvas host for an hour, and
nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from pathlib import Path

from ipc.freshness import is_fresh
from runtime.config.http_model import CanvasHostConfig

PLACE = "/__openclaw__/"
CANVAS = f"{PLACE}canvas"
TICKETED = f"{PLACE}cap/"
TICKET_SECONDS = 3600
MAX_TICKET = 64  # characters
OUTCOMES = ("served", "redirected", "unauthorized", "refused", "not found")
_LABEL = b"trunkline canvas ticket 1\0"


class CanvasHost:
    """The canvas host of one gateway; its tickets derive from the ``secret`` of this boot.

    ``counts`` holds how many requests ended in which way (``OUTCOMES``).
    """

    def __init__(self, config: CanvasHostConfig, secret: bytes) -> None:
        self.enabled = config.enabled
        self.root = Path(config.root)
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self._key = hmac.digest(secret, _LABEL, hashlib.sha256)

    def address(self, base: str, now: float) -> str:
        """Return an address below ``base`` that grants access to the host for an hour from ``now``.

        To it a client adds ``/__openclaw__/canvas/…``.
        """
        ends = f"{int(now) + TICKET_SECONDS:x}"
        return f"{base}{TICKETED}{ends}.{self._proof(ends)}"

    def opens(self, ticket: str, now: float) -> bool:
        """Return whether ``ticket`` is valid and has not expired."""
        if len(ticket) > MAX_TICKET or not ticket.isascii():
            return False
        ends, _, proof = ticket.partition(".")
        if not hmac.compare_digest(proof, self._proof(ends)):
            return False
        return is_fresh(int(ends, 16) - TICKET_SECONDS, TICKET_SECONDS, now)

    def _proof(self, ends: str) -> str:
        mac = hmac.digest(self._key, ends.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(mac[:18]).decode()


def split_ticket(path: str) -> tuple[str | None, str]:
    """Return the ticket in a path, if any, and the path that it grants access to."""
    if not path.startswith(TICKETED):
        return None, path
    ticket, _, rest = path.removeprefix(TICKETED).partition("/")
    return ticket, f"/{rest}"
