"""Manages paired devices: requests, approved roles and scopes, tokens.

A request that waits for an operator lives for five minutes and in memory only, since the
device asks again. Connections are not known here: ``pairing`` publishes what changed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from ipc.freshness import is_fresh
from ipc.hidden_fields import hide_fields
from runtime.gateway.access.handshake import Connect
from runtime.gateway.access.scopes import OPERATOR, covers
from runtime.gateway.devices.bootstrap import BootstrapTokens
from runtime.gateway.devices.registry import About, Device, Record, Registry, Token

REQUEST_MS = 300_000
MAX_REQUESTS = 64  # the oldest goes: only holders of the shared secret can make one
MAX_HASHES = 4  # tokens of one role that are valid beside each other
TOKEN_BYTES = 32


class PairRequest(About, kw_only=True):
    """A device that waits for an operator's approval."""

    request_id: str
    device_id: str
    public_key: str
    role: str
    roles: list[str]
    scopes: list[str]
    is_repair: bool = False
    ts: int = 0


class TokenRow(Record, kw_only=True):
    """A token as operators see it, without its hashes."""

    role: str
    scopes: list[str]
    created_at_ms: int
    rotated_at_ms: int | None = None
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = None


@hide_fields("token")
class Issued(msgspec.Struct, frozen=True):
    """A token as its device receives it; ``issued_at`` in milliseconds of the epoch."""

    token: str
    scopes: list[str]
    issued_at: int


class Devices:
    """The paired devices and the requests for more; ``bootstrap`` has the one-time tokens.

    All times are milliseconds of the epoch, given by the caller.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.bootstrap = BootstrapTokens()
        self._requests: dict[str, PairRequest] = {}
        # Tokens issued or proved since this boot, by device and role.
        self._known: dict[tuple[str, str], str] = {}

    def proves(
        self, device: str, role: str, scopes: Iterable[str], token: str, now: int
    ) -> str | None:
        """Return the protocol's word for why ``token`` does not prove this role and these scopes.

        ``None`` means that it does.
        """
        known = self._registry.devices.get(device)
        entry = known.tokens.get(role) if known else None
        hashed = _hash(token)
        if entry is None or not any(hmac.compare_digest(hashed, each) for each in entry.hashes):
            return "device_token_mismatch"
        if not all(covers(entry.scopes, scope) for scope in scopes):
            return "scope_mismatch"
        entry.last_used_at_ms = now
        return None

    def missing(self, device: str, role: str, scopes: Iterable[str]) -> str | None:
        """Return the protocol's word for what an operator must approve first, or ``None``."""
        known = self._registry.devices.get(device)
        if known is None:
            return "not-paired"
        if role not in known.roles:
            return "role-upgrade"
        if not all(covers(known.scopes, scope) for scope in scopes):
            return "scope-upgrade"
        return None

    def request(
        self, connect: Connect, scopes: Iterable[str], address: str, now: int
    ) -> tuple[PairRequest, bool]:
        """Return the pairing request of a device, and whether it is new.

        An equal request that still waits is renewed instead of repeated.
        """
        device = connect.device
        assert device is not UNSET
        self._expire(now)
        wanted = list(scopes)
        for known in self._requests.values():
            if (known.device_id, known.role, known.scopes) == (device.id, connect.role, wanted):
                known.ts = now
                return known, False
        if len(self._requests) >= MAX_REQUESTS:
            del self._requests[next(iter(self._requests))]
        about = about_client(connect, address)
        made = PairRequest(
            request_id=str(uuid.uuid4()),
            device_id=device.id,
            public_key=device.public_key,
            role=connect.role,
            roles=[connect.role],
            scopes=wanted,
            is_repair=device.id in self._registry.devices,
            ts=now,
            **about,
        )
        self._requests[made.request_id] = made
        return made, True

    def approve(self, request: PairRequest, now: int) -> Device:
        """Pair the device, or add the requested roles and scopes to those it has."""
        self._requests.pop(request.request_id, None)
        known = self._registry.devices.get(request.device_id)
        if known is None:
            known = Device(
                device_id=request.device_id,
                public_key=request.public_key,
                platform=request.platform,
                client_id=request.client_id,
                client_mode=request.client_mode,
                roles=[],
                scopes=[],
                created_at_ms=now,
            )
            self._registry.devices[known.device_id] = known
        known.platform, known.client_id = request.platform, request.client_id
        known.client_mode, known.remote_ip = request.client_mode, request.remote_ip
        known.display_name = request.display_name or known.display_name
        known.device_family = request.device_family
        known.roles = _union(known.roles, request.roles)
        known.scopes = _union(known.scopes, request.scopes)
        known.approved_at_ms = now
        self._registry.save_soon()
        return known

    def record_seen(self, device: str, reason: str, now: int) -> None:
        """Record when a device was last seen; the next change writes it to disk."""
        known = self._registry.devices.get(device)
        if known is not None:
            known.last_seen_at_ms, known.last_seen_reason = now, reason

    def token(self, device: str, role: str, scopes: Iterable[str], now: int) -> Issued:
        """Return the device's token for a role: the one known since this boot, or a new one."""
        known = self._registry.devices[device]
        entry = known.tokens.setdefault(role, Token(created_at_ms=now))
        text = self._known.get((device, role))
        missing = not all(covers(entry.scopes, scope) for scope in scopes)
        if text is None or missing or _hash(text) not in entry.hashes:
            entry.scopes = _union(entry.scopes, scopes)
            if text is None or _hash(text) not in entry.hashes:
                text = self._add(known, role, entry, now)
            self._registry.save_soon()
        return Issued(text, entry.scopes, entry.issued_at_ms)

    def used(self, device: str, role: str, token: str) -> Issued:
        """Record and return a token that was just proved."""
        entry = self._registry.devices[device].tokens[role]
        self._known.setdefault((device, role), token)
        return Issued(token, entry.scopes, entry.issued_at_ms)

    def rotate(
        self, device: str, role: str, scopes: list[str] | None, now: int
    ) -> tuple[Token, str] | None:
        """Replace a token by a new one.

        Returns ``None`` when there is none, or when its device lacks one of ``scopes``.
        """
        known = self._registry.devices.get(device)
        entry = known.tokens.get(role) if known else None
        if known is None or entry is None or role not in known.roles:
            return None
        wanted = entry.scopes if scopes is None else scopes
        if not all(covers(known.scopes, scope) for scope in wanted):
            return None
        entry.hashes.clear()
        entry.scopes = list(wanted)
        entry.rotated_at_ms = now
        text = self._add(known, role, entry, now)
        self._registry.save_soon()
        return entry, text

    def revoke(self, device: str, role: str, now: int) -> Token | None:
        """Revoke a token; return ``None`` when there is none."""
        known = self._registry.devices.get(device)
        entry = known.tokens.get(role) if known else None
        if entry is None:
            return None
        entry.hashes.clear()
        entry.revoked_at_ms = now
        self._known.pop((device, role), None)
        self._registry.save_soon()
        return entry

    def rename(self, device: str, label: str) -> None:
        """Set the display name of a paired device."""
        self._registry.devices[device].operator_label = label
        self._registry.save_soon()

    def find(self, device: str) -> Device | None:
        """Return a paired device, or ``None``."""
        return self._registry.devices.get(device)

    def paired(self) -> list[Device]:
        """Return all paired devices, the newest approval first."""
        return sorted(self._registry.devices.values(), key=lambda each: -each.approved_at_ms)

    def pending(self, now: int) -> list[PairRequest]:
        """Return the waiting requests, the newest first."""
        self._expire(now)
        return sorted(self._requests.values(), key=lambda each: -each.ts)

    def find_request(self, request: str, now: int) -> PairRequest | None:
        """Return one waiting request, or ``None``."""
        self._expire(now)
        return self._requests.get(request)

    def reject(self, request: PairRequest) -> None:
        """Drop a request."""
        self._requests.pop(request.request_id, None)

    def remove(self, device: str, role: str | None = None) -> bool:
        """Remove a device, or one of its roles; return false when the device is unknown."""
        known = self._registry.devices.get(device)
        if known is None:
            return False
        roles = list(known.roles) if role is None else [role]
        for each in roles:
            known.tokens.pop(each, None)
            self._known.pop((device, each), None)
        known.roles = [each for each in known.roles if each not in roles]
        if not known.roles:
            del self._registry.devices[device]
        self._registry.save_soon()
        return True

    def _add(self, known: Device, role: str, entry: Token, now: int) -> str:
        text = secrets.token_urlsafe(TOKEN_BYTES)
        entry.hashes = [_hash(text), *entry.hashes][:MAX_HASHES]
        entry.issued_at_ms = now
        entry.revoked_at_ms = None
        self._known[known.device_id, role] = text
        return text

    def _expire(self, now: int) -> None:
        for request in list(self._requests.values()):
            if not is_fresh(request.ts, REQUEST_MS, now):
                del self._requests[request.request_id]


def about_client(connect: Connect, address: str) -> dict[str, Any]:
    """Return what a client says about itself, as the fields of ``About``."""
    client = connect.client
    return {
        "platform": client.platform,
        "client_id": client.id,
        "client_mode": client.mode,
        "display_name": None if client.display_name is UNSET else client.display_name,
        "device_family": None if client.device_family is UNSET else client.device_family,
        "remote_ip": address or None,
    }


def rows_of(tokens: dict[str, Token]) -> list[TokenRow]:
    """Return tokens without their hashes."""
    return [
        TokenRow(
            role=role,
            scopes=entry.scopes,
            created_at_ms=entry.created_at_ms,
            rotated_at_ms=entry.rotated_at_ms,
            revoked_at_ms=entry.revoked_at_ms,
            last_used_at_ms=entry.last_used_at_ms,
        )
        for role, entry in tokens.items()
    ]


def is_operator(roles: Iterable[str]) -> bool:
    """Return whether ``roles`` holds no role but ``operator``."""
    return set(roles) <= {OPERATOR}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _union(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
