"""Chooses a client's credentials for each attempt of one ``connect``.

The shared secret is tried first, then the device's own token; the newer signature first, then the
older one for a gateway that does not know it. Each alternative is tried once, so a wrong secret
costs one more attempt and never a loop.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ipc.errors import RemoteError
from ipc.identity.device import Identity
from ipc.identity.signature import V2, V3, Statement

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Claim(msgspec.Struct, frozen=True):
    """The part of ``connect`` that is signed."""

    client: str
    mode: str
    role: str
    scopes: tuple[str, ...]
    platform: str
    family: str


class Credentials:
    """Secrets and identity for the gateway at ``place``."""

    def __init__(
        self, place: str, token: str | None, password: str | None, identity: Identity | None
    ) -> None:
        self._place = place
        self._secrets = {
            name: secret
            for name, secret in (("token", token), ("password", password))
            if secret is not None
        }
        self._identity = identity
        self._version = V3
        self._turned = False  # to the other of secret and device token
        self._own: str | None = None  # the device token in use

    def params(self, claim: Claim, challenge: dict[str, Any]) -> dict[str, Any]:
        """Return ``auth`` and ``device`` for one attempt; keys that do not apply are absent."""
        if self._identity is None:
            return {"auth": self._secrets} if self._secrets else {}
        self._own = None
        if not self._secrets or self._turned:
            self._own = self._identity.token(self._place, claim.role)
        auth = dict(self._secrets) if self._own is None else {"deviceToken": self._own}
        device = self._device(claim, challenge, auth.get("token") or self._own or "")
        return ({"auth": auth} if auth else {}) | {"device": device}

    def on_refused(self, error: RemoteError, role: str) -> bool:
        """Handle a refusal; return whether there is another alternative to try at once."""
        details = error.details if isinstance(error.details, dict) else {}
        code, identity = details.get("code"), self._identity
        if identity is None:
            return False
        if code == "DEVICE_AUTH_SIGNATURE_INVALID" and self._version == V3:
            self._version = V2
            return True
        if code == "AUTH_DEVICE_TOKEN_MISMATCH" and self._own is not None:
            identity.forget(self._place, role)
            return False
        if code == "AUTH_TOKEN_MISMATCH" and self._own is None and not self._turned:
            # The token is worth a pairing: it is not shown to a stranger on the way.
            self._turned = identity.token(self._place, role) is not None and _safe(self._place)
            return self._turned
        return False

    def on_granted(self, auth: Any) -> None:
        """Store the token that a hello grants."""
        if self._identity is None or not isinstance(auth, dict):
            return
        token, role = auth.get("deviceToken"), auth.get("role")
        if isinstance(token, str) and token and isinstance(role, str):
            scopes = [each for each in auth.get("scopes", ()) if isinstance(each, str)]
            issued = auth.get("issuedAtMs")
            at_ms = issued if isinstance(issued, int) else 0
            self._identity.store_token(self._place, role, token, scopes, at_ms)

    async def save(self) -> None:
        """Save the granted token, or the removal of a refused one."""
        if self._identity is not None:
            await self._identity.save()

    def _device(self, claim: Claim, challenge: dict[str, Any], token: str) -> dict[str, Any]:
        assert self._identity is not None
        at = challenge.get("ts")  # the gateway's clock counts
        statement = Statement(
            device=self._identity.id,
            client=claim.client,
            mode=claim.mode,
            role=claim.role,
            scopes=claim.scopes,
            signed_at=at if isinstance(at, int) else int(time.time() * 1000),
            token=token,
            nonce=str(challenge.get("nonce", "")),
            platform=claim.platform,
            family=claim.family,
        )
        return {
            "id": self._identity.id,
            "publicKey": self._identity.public_key,
            "signature": self._identity.sign(statement, self._version),
            "signedAt": statement.signed_at,
            "nonce": statement.nonce,
        }


def _safe(place: str) -> bool:
    parts = urlsplit(place)
    return parts.scheme == "wss" or (parts.hostname or "") in LOCAL
