"""Signatures of device identities."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.identity import signature
from tests.support.devices import Key, paired, refused_device
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import challenged


@pytest.mark.parametrize(
    ("change", "message", "code", "reason"),
    [
        ({"id": "0" * 64}, "identity mismatch", "DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ({"publicKey": "?"}, "identity mismatch", "DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ({"signedAt": 1}, "signature expired", "SIGNATURE_EXPIRED", "device-signature-stale"),
        ({"signedAt": 1 << 50}, "signature expired", "SIGNATURE_EXPIRED", "device-signature-stale"),
        ({"nonce": " "}, "nonce required", "NONCE_REQUIRED", "device-nonce-missing"),
        ({"nonce": "n"}, "nonce mismatch", "NONCE_MISMATCH", "device-nonce-mismatch"),
        ({"signature": "A" * 86}, "signature invalid", "SIGNATURE_INVALID", "device-signature"),
        ({"signature": "x"}, "signature invalid", "SIGNATURE_INVALID", "device-signature"),
        (
            {"id": signature.device_id(b"short"), "publicKey": signature.encode(b"short")},
            "public key invalid",
            "PUBLIC_KEY_INVALID",
            "device-public-key",
        ),
    ],
)
@pytest.mark.parametrize("protocol", [3, 4])
async def test_a_device_that_does_not_hold(
    protocol: int, change: dict[str, Any], message: str, code: str, reason: str
) -> None:
    async with gateway_rig() as rig:
        error, closed = await refused_device(rig, Key(), protocol, change=change)
        assert error == {
            "code": "INVALID_REQUEST",
            "message": f"device {message}",
            "details": {"code": f"DEVICE_AUTH_{code}", "reason": reason},
        }
        assert closed == f"device {message}"


@pytest.mark.parametrize(("off", "accepted"), [(119_000, True), (121_000, False)])
async def test_the_clock_may_differ_by_two_minutes(off: int, accepted: bool) -> None:
    async with gateway_rig() as rig:
        for sign in (1, -1):
            client = await challenged(rig)
            client.challenge["payload"]["ts"] += sign * off
            answer = await client.call("connect", Key().params(client.challenge))
            assert answer["ok"] is accepted


async def test_a_nonce_serves_for_its_own_connection_only() -> None:
    async with gateway_rig() as rig:
        key = Key()
        first = await paired(rig, key)
        answer = await (await challenged(rig)).call("connect", key.params(first.challenge))
        assert answer["error"]["message"] == "device nonce mismatch"
