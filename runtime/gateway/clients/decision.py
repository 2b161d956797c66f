"""Decides about a ``connect``: from secret, signature and pairing to a grant.

Without a device this happens at once. With one it happens in a task: the library for signatures is
loaded at the first use, and a new token is on disk before the device gets it. A client with the
shared secret waits for its turn first; the token of this boot and a device's own token never wait.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from msgspec import UNSET

from ipc.epoch import now_ms
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
from runtime.gateway.access.request_headers import headers_of_websocket
from runtime.gateway.access.scopes import ALL, OPERATOR, SUPERVISOR, covers
from runtime.gateway.access.throttle import DEVICE, SHARED
from runtime.gateway.device_pairing import (
    announce_device_decision,
    announce_device_request,
    device_named,
)
from runtime.gateway.devices.devices import Issued
from runtime.gateway.parts import GatewayParts
from runtime.gateway.supervisor_link import send_note

log = structlog.get_logger("gateway.admission")


def headers_of(connection: Connection) -> dict[str, str]:
    """Return the headers of a client's request by name, in lower case."""
    request = connection.request
    return headers_of_websocket(request.headers.raw_items()) if request else {}


class ConnectDecision:
    """One ``connect``.

    ``check_device`` first where there is one (``has_device``); then, in its turn where the client
    may be guessing (``guesses``), ``decide`` or ``decide_device``.
    """

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
        self._jobs = parts.jobs
        self._supervisor = parts.supervisor
        self.connect = connect
        self.claim = claim
        self._nonce = nonce
        self._headers = headers_of(connection)
        self._local = connection.loopback
        self.origin = parts.guard.address_of(connection.remote, connection.same_host, self._headers)
        self._check = check_secret(claim, parts.guard.secrets)
        self._user: str | None = None
        self._own_token = False  # the device's own one has come, and is right

    @property
    def has_device(self) -> bool:
        """True for a client with a device identity, unless it is the supervisor."""
        return self.connect.device is not UNSET and not self._is_supervisor

    @property
    def host(self) -> str | None:
        """The ``Host`` header of the client's request."""
        return self._headers.get("host")

    @property
    def guesses(self) -> bool:
        """True if the answer reveals whether a shared secret is right."""
        if self._is_supervisor or self._own_token or self._guard.secrets.mode == "none":
            return False
        return self.claim.token is not None or self.claim.password is not None

    @property
    def success_delay(self) -> float:
        """The seconds by which a grant is delayed."""
        return self._guard.success_delay(self.origin) if self.guesses else 0.0

    @property
    def _is_supervisor(self) -> bool:
        return self._check.method == SUPERVISOR_LINK

    def check_page(self) -> None:
        """Raise ``Refusal`` for a web page of another origin."""
        headers = self._headers
        allowed = self._guard.hosts.allows(headers.get("origin"), headers.get("host"))
        if not allowed and not self._is_supervisor:
            raise foreign_origin()

    def decide(self) -> Grant:
        """Return the grant of a client without a device; raises ``Refusal``."""
        claim = self.claim
        if self._is_supervisor:
            return Grant(SUPERVISOR, tuple(sorted(ALL)), "token")
        check = self._check_with_proxy()
        self._check_lock(SHARED)
        if check.method is None:
            if check.missing:
                raise no_identity()
            raise self._record_failure(SHARED, check.reason)
        if claim.role != OPERATOR:
            raise no_identity()  # a node is a device
        scopes = scopes_without_device(claim, check.method, self.origin)
        return Grant(claim.role, scopes, check.method, user=self._user)

    async def check_device(self) -> None:
        """Check the device's signature, and its own token if it has sent one.

        Raises ``Refusal``.
        """
        device, claim = self.connect.device, self.claim
        assert device is not UNSET
        await asyncio.to_thread(signature.load)
        proof.check(device, self.connect, claim, self._nonce, now_ms())
        token = claim.device_token or claim.token
        if token is not None:
            why = self._devices.proves(device.id, claim.role, self._scopes, token, now_ms())
            self._own_token = why in (None, "scope_mismatch")

    async def decide_device(self) -> Grant:
        """Return the grant of a device whose signature is right; raises ``Refusal``."""
        device, claim, scopes = self.connect.device, self.claim, self._scopes
        assert device is not UNSET
        if claim.bootstrap_token is not None:
            method, issued = "bootstrap-token", self._redeem(claim.bootstrap_token, scopes)
        elif (shared := self._check_with_proxy().method) is None or self._locked(SHARED):
            method, issued = "device-token", self._prove(device.id, scopes)
        else:
            await asyncio.sleep(self.success_delay)
            method, issued = shared, self._pair(device.id, scopes)
        await self._registry.wait_saved()
        self._devices.record_seen(device.id, "connect", now_ms())
        return Grant(
            claim.role, scopes, method, device.id, issued.token, issued.issued_at, self._user
        )

    @property
    def _scopes(self) -> tuple[str, ...]:
        return self.claim.known_scopes if self.claim.role == OPERATOR else ()

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
                raise self._record_failure(SHARED, reason)
            raise unauthorized(reason, cli=claim.cli, protocol=claim.protocol)
        self._check_lock(DEVICE)
        why = devices.proves(device, claim.role, scopes, token, now_ms())
        if why == "scope_mismatch":
            raise unauthorized(why, cli=claim.cli, protocol=claim.protocol)
        if why is not None:
            if claim.device_token is None:
                self._check_lock(SHARED)
                raise self._record_failure(SHARED, reason, device=True)
            if guessed:
                self._record_failure(SHARED, reason)
            raise self._record_failure(DEVICE, why)
        return devices.used(device, claim.role, token)

    def _redeem(self, token: str, scopes: tuple[str, ...]) -> Issued:
        """Approve the device with a one-time token; no other secret counts beside it."""
        claim, devices, now = self.claim, self._devices, now_ms()
        self._check_lock(DEVICE)
        assert self.connect.device is not UNSET
        device = self.connect.device.id
        granted = None
        if claim.role == OPERATOR:
            granted = devices.bootstrap.redeem(token, device, now)
        if granted is None:
            raise self._record_failure(DEVICE, "bootstrap_token_invalid")
        if not all(covers(granted, scope) for scope in scopes):
            raise unauthorized("scope_mismatch", cli=claim.cli, protocol=claim.protocol)
        if devices.missing(device, claim.role, scopes) is not None:
            request, _ = devices.request(self.connect, scopes, self.origin.address, now)
            devices.approve(request, now)
            text = f"{device_named(device)} was approved by a one-time token"
            by = f"the device itself, at {self.origin.address}"
            self._jobs.start(send_note(self._supervisor, text, by=by))
            log.info("device approved by a one-time token", device=device, scopes=list(scopes))
            announce_device_decision(self._hub, request.request_id, device, "approved")
        return devices.token(device, claim.role, scopes, now)

    def _pair(self, device: str, scopes: tuple[str, ...]) -> Issued:
        """Pair a device of this host at once; refuse another one until an operator approves it."""
        claim, devices, now = self.claim, self._devices, now_ms()
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

    def _check_with_proxy(self) -> SecretCheck:
        """Check the secret, or the user that a trusted proxy names if no secret was sent."""
        auth = self._config.auth
        if self._check.method is not None or auth.mode != "trusted-proxy":
            return self._check
        if self._check.reason.endswith("_mismatch"):
            return self._check  # a wrong secret is not made right by a proxy
        user, reason = user_of_proxy(auth.trusted_proxy, self.origin, self._local, self._headers)
        self._user = user
        self._check = SecretCheck(None, reason) if user is None else SecretCheck("trusted-proxy")
        return self._check

    def _locked(self, kind: str) -> float:
        """Return for how many seconds the address is locked out; 0 when it is not."""
        return self._guard.locked(kind, self.origin)

    def _check_lock(self, kind: str) -> None:
        if seconds := self._locked(kind):
            claim = self.claim
            raise unauthorized("rate_limited", cli=claim.cli, protocol=claim.protocol, wait=seconds)

    def _record_failure(self, kind: str, reason: str, *, device: bool = False) -> Refusal:
        """Count a wrong secret and return the refusal."""
        claim, delay = self.claim, self._guard.record_failure(kind, self.origin)
        refusal = unauthorized(reason, cli=claim.cli, protocol=claim.protocol, device=device)
        refusal.delay = min(delay, self._config.handshake_timeout_ms / 2000)  # or it never comes
        return refusal
