"""Encryption on the gateway's port, and certificates that are renewed under it."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import trustme

from ipc.errors import ConnectionFailed
from ipc.identity import trust
from ipc.websocket.client import Client
from runtime.gateway.certificate import Certificate
from tests.support.gateway_rig import CHANNELS, SESSION, TOKEN, GatewayRig, gateway_rig
from workers.errors import Misconfigured


class Files:
    """A certificate with its key, as files."""

    def __init__(self, directory: Path) -> None:
        self.cert, self.key = directory / "cert.pem", directory / "key.pem"

    def write(self, authority: trustme.CA) -> None:
        issued = authority.issue_cert("127.0.0.1")
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))

    @property
    def config(self) -> dict[str, Any]:
        return {"enabled": True, "certPath": str(self.cert), "keyPath": str(self.key)}


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def open_client(rig: GatewayRig, authority: trustme.CA, token: str = TOKEN) -> Client:
    url = f"wss://127.0.0.1:{rig.port}"
    client = await Client.connect(url, token=token, tls=trusting(authority), timeout=5.0)
    rig.opened.append(client)
    return client


async def test_clients_and_pages_are_encrypted(tmp_path: Path) -> None:
    authority, files = trustme.CA(), Files(tmp_path)
    files.write(authority)
    async with gateway_rig(supervisor=False, tls=files.config) as rig:
        supervisor = await open_client(rig, authority, SESSION)
        channels = [msgspec.to_builtins(channel) for channel in CHANNELS]
        await supervisor.call("channels.report", {"whole": True, "channels": channels})
        client = await open_client(rig, authority)
        assert (await client.call("health"))["ok"] is True
        big = await client.call("system-event", {"text": "x" * 4000})
        assert big == {"ok": True}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://127.0.0.1:{rig.port}/health", ssl=trusting(authority)) as answer,
        ):
            assert answer.status == 200
        with pytest.raises(ConnectionFailed):
            await Client.connect(rig.url, token=TOKEN, timeout=2.0)


async def test_a_renewed_certificate_is_taken_over(tmp_path: Path) -> None:
    old, new, files = trustme.CA(), trustme.CA(), Files(tmp_path)
    files.write(old)
    async with gateway_rig(supervisor=False, tls=files.config) as rig:
        before = await open_client(rig, old, SESSION)
        files.write(new)
        await open_client(rig, new, SESSION)
        with pytest.raises(ConnectionFailed):
            await open_client(rig, old, SESSION)
        assert not before.closed.done()


async def test_on_this_host_the_file_itself_is_trusted(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(trustme.CA())
    async with gateway_rig(supervisor=False, tls=files.config) as rig:
        url = f"wss://localhost:{rig.port}"
        client = await Client.connect(url, token=SESSION, tls=trust.trusting(files.cert))
        rig.opened.append(client)
        old = trust.trusting(files.cert)
        files.write(trustme.CA())
        with pytest.raises(ConnectionFailed):
            await Client.connect(url, token=SESSION, tls=old)
        rig.opened.append(await Client.connect(url, token=SESSION, tls=trust.trusting(files.cert)))


async def test_half_a_renewal_leaves_the_old_certificate_in_use(tmp_path: Path) -> None:
    authority, files = trustme.CA(), Files(tmp_path)
    files.write(authority)
    async with gateway_rig(supervisor=False, tls=files.config) as rig:
        files.cert.write_text("not yet")
        await open_client(rig, authority, SESSION)
        os.unlink(files.cert)
        await open_client(rig, authority, SESSION)
        files.write(authority)
        await open_client(rig, authority, SESSION)


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_files_that_cannot_be_used_are_named(tmp_path: Path, text: str | None) -> None:
    files = Files(tmp_path)
    if text is not None:
        files.cert.write_text(text)
        files.key.write_text(text)
    with pytest.raises(Misconfigured, match=r"gateway\.tls: .*cert\.pem and .*key\.pem: "):
        Certificate(str(files.cert), str(files.key))
