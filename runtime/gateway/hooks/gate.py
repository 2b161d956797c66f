"""Decides who may call hooks, by their own token, and limits guesses. Pure.

Twenty failures of an address within a minute lock it for another, this host too. Unlike at
``connect`` the right token still works then, and forgets the failures: a platform behind the same
address as a stranger is not shut out by him.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from runtime.gateway.access.auth import same
from runtime.gateway.access.throttle import Throttle, key
from runtime.gateway.hooks.requests import BadHook

ATTEMPTS, WINDOW_SECONDS = 20, 60.0
HOOK = "hook-token"  # the kind of failures that are counted
IN_QUERY = (
    "Hook token must be provided via Authorization: Bearer <token> or X-OpenClaw-Token header "
    "(query parameters are not allowed)."
)


class HookRefused(BadHook):
    """A request is refused before its body is read; the answer is plain text."""

    def __init__(self, status: int, error: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, error)
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the body of the answer."""
        return self.error.encode()


class HookGate:
    """Admits requests with the ``token`` of hooks, not the gateway's. Times in seconds."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._throttle = Throttle(
            attempts=ATTEMPTS,
            window=WINDOW_SECONDS,
            lockout=WINDOW_SECONDS,
            exempt_loopback=False,
        )

    def check(
        self,
        method: str,
        headers: Mapping[str, str],
        query: Collection[str],
        address: str,
        now: float,
    ) -> None:
        """Raise ``HookRefused`` unless a request of the client at ``address`` is admitted.

        ``headers`` are found by any spelling of their names; ``query`` has the names of the query.
        """
        if "token" in query:
            raise HookRefused(400, IN_QUERY)
        if method != "POST":
            raise HookRefused(405, "Method Not Allowed", {"Allow": "POST"})
        counted = key(HOOK, address)
        given = _token_of(headers)
        if given and same(given, self._token):
            self._throttle.forget(counted)
            return
        left = self._throttle.locked(counted, False, now)
        if not left:
            self._throttle.record_failure(counted, False, now)
            left = self._throttle.locked(counted, False, now)
        if left:
            wait = {"Retry-After": str(max(1, math.ceil(left)))}
            raise HookRefused(429, "Too Many Requests", wait)
        raise HookRefused(401, "Unauthorized")


def _token_of(headers: Mapping[str, str]) -> str:
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    return headers.get("X-OpenClaw-Token", "").strip()
