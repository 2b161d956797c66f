"""Checks the signature of a device identity. Pure: the caller has the clock."""

from __future__ import annotations

import hmac

from msgspec import UNSET

from ipc.identity import signature
from runtime.gateway.access.auth import ConnectClaim
from runtime.gateway.access.handshake import Connect, SignedDevice
from runtime.gateway.access.refusals import bad_device

CLOCK_MS = 120_000  # the largest difference between the device's clock and ours


def check(
    device: SignedDevice, connect: Connect, claim: ConnectClaim, nonce: str, now_ms: int
) -> None:
    """Raise ``Refusal`` unless the device has signed this ``connect`` with our nonce, just now."""
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
        holds = signature.verify(raw, device.signature, _statement(device, connect, claim))
    except ValueError:
        raise bad_device("device-public-key") from None
    if not holds:
        raise bad_device("device-signature")


def _statement(device: SignedDevice, connect: Connect, claim: ConnectClaim) -> signature.Statement:
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
