"""Does a device identity hold? (PROTOCOL.md 1.4). Pure but for the arithmetic of the signature."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from msgspec import UNSET

from ipc.identity import signature
from runtime.gateway.access.refusals import bad_device

if TYPE_CHECKING:
    from runtime.gateway.access.auth import Claim
    from runtime.gateway.access.handshake import Connect, Device

CLOCK_MS = 120_000  # by which the device's clock may differ from ours


def check(device: Device, connect: Connect, claim: Claim, nonce: str, now_ms: int) -> None:
    """Raise ``Refusal`` unless the device has signed this ``connect``, just now, for us."""
    raw = signature.decode(device.public_key)
    if raw is None or signature.device_id(raw) != device.id:
        raise bad_device("device-id-mismatch")
    if abs(now_ms - device.signed_at) > CLOCK_MS:
        raise bad_device("device-signature-stale")
    if not device.nonce.strip():
        raise bad_device("device-nonce-missing")
    if not hmac.compare_digest(device.nonce.encode(errors="surrogatepass"), nonce.encode()):
        raise bad_device("device-nonce-mismatch")
    if len(raw) != signature.KEY_BYTES:
        raise bad_device("device-public-key")
    try:
        holds = signature.signs(raw, device.signature, _statement(device, connect, claim))
    except ValueError:
        raise bad_device("device-public-key") from None
    if not holds:
        raise bad_device("device-signature")


def _statement(device: Device, connect: Connect, claim: Claim) -> signature.Statement:
    auth = connect.auth
    bootstrap = "" if auth is UNSET or auth.bootstrap_token is UNSET else auth.bootstrap_token
    family = connect.client.device_family
    return signature.Statement(
        device=device.id,
        client=claim.client,
        mode=claim.mode,
        role=claim.role,
        scopes=claim.scopes,
        signed_at=device.signed_at,
        token=claim.token or claim.device_token or bootstrap,
        nonce=device.nonce,
        platform=connect.client.platform,
        family="" if family is UNSET else family,
    )
