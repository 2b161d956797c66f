"""Decides about a ``connect``: from secret, signature and pairing to a grant.

Without a device at once. With one in a task: the library for signatures is loaded at the first
use, and a new token is on disk before the device gets it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from msgspec import UNSET

from ipc.identity import signature
from ipc.websocket.connection import Connection
from runtime.gateway.access import proof
from runtime.gateway.access.auth import (
    SUPERVISOR_LINK,
    ConnectClaim,
    Grant,
    SecretCheck,
    check_secret,
    scopes_without_device,
    user_of_proxy,
)
from runtime.gateway.access.handshake import Connect
from runtime.gateway.access.refusals import (
    Refusal,
    foreign_origin,
    no_identity,
    pairing_required,
    unauthorized,
)
from runtime.gateway.access.scopes import ALL, OPERATOR, SUPERVISOR
from runtime.gateway.access.throttle import DEVICE, SHARED
from runtime.gateway.devices.devices import Issued
from runtime.gateway.pairing import announce_device_decision, announce_device_request
from runtime.gateway.parts import GatewayParts


class ConnectDecision:
    """One ``connect``: call ``decide``, then ``decide_device`` when that returns ``None``."""

    def __init__(
        self,
        parts: GatewayParts,
        connection: Connection,
        connect: Connect,
        claim: ConnectClaim,
        nonce: str,
    ) -> None:
        self._hub = parts.hub
        self._guard = parts.guard
        self._config = parts.config
        self._devices = parts.devices
        self._registry = parts.registry
        self.connect = connect
        self.claim = claim
        self._nonce = nonce
        self._headers = connection.request.headers if connection.request else {}
        self._local = connection.loopback
        self.origin = parts.guard.origin_of(connection.remote, connection.loopback, self._headers)
        self._check = SecretCheck(None)
        self._user: str | None = None

    def decide(self) -> Grant | None:
        """Return the grant, or ``None`` when the device must be checked; raises ``Refusal``."""
        claim, secrets = self.claim, self._guard.secrets
        check = self._check = check_secret(claim, secrets)
        if check.method == SUPERVISOR_LINK:
            return Grant(SUPERVISOR, tuple(sorted(ALL)), "token")
        headers = self._headers
        if not self._guard.hosts.allows(headers.get("Origin"), headers.get("Host")):
            raise foreign_origin()
        if check.method is None and secrets.mode == "trusted-proxy":
            check = self._check = self._check_proxy()
        if self.connect.device is not UNSET:
            return None  # its own token is enough, whoever guesses the secret beside it
        self._check_lock(SHARED)
        if check.method is None:
            if check.missing:
                raise no_identity()
            raise self._failed(SHARED, check.reason)
        self._succeeded(SHARED)
        if claim.role != OPERATOR:
            raise no_identity()  # a node is a device
        scopes = scopes_without_device(claim, check.method, self.origin)
        return Grant(claim.role, scopes, check.method, user=self._user)

    async def decide_device(self) -> Grant:
        """Check the device and return its grant; raises ``Refusal``."""
        device, claim = self.connect.device, self.claim
        assert device is not UNSET
        await asyncio.to_thread(signature.load)
        proof.check(device, self.connect, claim, self._nonce, _now())
        scopes = claim.known_scopes if claim.role == OPERATOR else ()
        method = self._check.method
        if method is None or self._locked(SHARED):
            issued = self._prove(device.id, scopes)
            method = "device-token"
        else:
            self._succeeded(SHARED)
            issued = self._pair(device.id, scopes)
        await self._registry.saved()
        self._devices.seen(device.id, "connect", _now())
        return Grant(
            claim.role, scopes, method, device.id, issued.token, issued.issued_at, self._user
        )

    def _prove(self, device: str, scopes: tuple[str, ...]) -> Issued:
        """Accept the device's own token. While the shared secret is locked for the client's
        address, only that is accepted, and no answer shows whether the secret was right.
        """
        claim, devices = self.claim, self._devices
        token, reason = claim.device_token or claim.token, self._check.reason
        guessed = reason.endswith("_mismatch")  # counts as a guess, whatever came beside it
        if token is None:
            self._check_lock(SHARED)
            if guessed:
                raise self._failed(SHARED, reason)
            raise unauthorized(reason, cli=claim.cli, protocol=claim.protocol)
        self._check_lock(DEVICE)
        why = devices.proves(device, claim.role, scopes, token, _now())
        if why == "scope_mismatch":
            raise unauthorized(why, cli=claim.cli, protocol=claim.protocol)
        if why is not None:
            if claim.device_token is None:
                self._check_lock(SHARED)
                raise self._failed(SHARED, reason, device=True)
            if guessed:
                self._failed(SHARED, reason)
            raise self._failed(DEVICE, why)
        self._succeeded(DEVICE)
        return devices.used(device, claim.role, token)

    def _pair(self, device: str, scopes: tuple[str, ...]) -> Issued:
        """Pair a device of this host at once; for another one an operator must approve first."""
        claim, devices, now = self.claim, self._devices, _now()
        reason = devices.missing(device, claim.role, scopes)
        if reason is not None:
            request, new = devices.request(self.connect, scopes, self.origin.address, now)
            if self.origin.loopback or self._check.method == "trusted-proxy":
                devices.approve(request, now)
                announce_device_decision(self._hub, request.request_id, device, "approved")
            else:
                if new:
                    announce_device_request(self._hub, request)
                known = devices.find(device)
                more: dict[str, Any] = {"requestedRole": claim.role}
                more["requestedScopes"] = list(scopes)
                if known is not None:
                    more |= {"approvedRoles": known.roles, "approvedScopes": known.scopes}
                raise pairing_required(reason, request.request_id, device, more)
        return devices.token(device, claim.role, scopes, now)

    def _check_proxy(self) -> SecretCheck:
        auth = self._config.auth
        if self._check.reason.endswith("_mismatch"):
            return self._check  # a wrong secret is not made right by a proxy
        user, reason = user_of_proxy(auth.trusted_proxy, self.origin, self._local, self._headers)
        self._user = user
        return SecretCheck(None, reason) if user is None else SecretCheck("trusted-proxy")

    def _locked(self, kind: str) -> float:
        """Return for how many seconds the address is locked out; 0 when it is not."""
        return self._guard.locked(kind, self.origin)

    def _check_lock(self, kind: str) -> None:
        if seconds := self._locked(kind):
            claim = self.claim
            raise unauthorized("rate_limited", cli=claim.cli, protocol=claim.protocol, wait=seconds)

    def _failed(self, kind: str, reason: str, *, device: bool = False) -> Refusal:
        """Count a wrong secret and return its refusal."""
        claim, delay = self.claim, self._guard.failed(kind, self.origin)
        refusal = unauthorized(reason, cli=claim.cli, protocol=claim.protocol, device=device)
        if claim.protocol >= 4:
            refusal.delay = delay
        return refusal

    def _succeeded(self, kind: str) -> None:
        self._guard.succeeded(kind, self.origin)


def _now() -> int:
    return int(time.time() * 1000)
