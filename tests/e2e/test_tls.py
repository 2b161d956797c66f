"""The real daemon with TLS, and one whose port would be open to all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from ipc.identity import trust
from ipc.websocket.client import Client
from tests.support.daemon import TOKEN, Daemon

pytestmark = pytest.mark.e2e

LOCAL: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}}}}}


async def test_the_supervisor_and_the_command_line_speak_through_encryption(
    tmp_path: Path,
) -> None:
    issued = trustme.CA().issue_cert("gateway.example")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    tls = {"enabled": True, "certPath": str(cert), "keyPath": str(key)}
    async with Daemon(tmp_path, LOCAL | {"gateway": {"tls": tls}}) as daemon:
        url = f"wss://127.0.0.1:{daemon.port}"
        async with await Client.connect(url, token=TOKEN, tls=trust.trusting(cert)) as client:
            assert "local" in (await client.call("health"))["channels"]
        code, out, error = await asyncio.to_thread(daemon.cli, "gateway", "call", "health")
        assert code == 0, error
        assert json.loads(out)["ok"] is True


async def test_a_gateway_without_a_secret_is_for_this_host_only(tmp_path: Path) -> None:
    gateway = {"auth": {"mode": "none"}, "bind": "lan"}
    daemon = Daemon(tmp_path, LOCAL | {"gateway": gateway})
    code, _, error = await asyncio.to_thread(daemon.cli, "up")
    await daemon.__aexit__()
    assert code == 78
    assert "gateway.bind: is 'lan'; allowed with auth.mode none: loopback" in error
