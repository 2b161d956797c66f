"""The real daemon with TLS, and one whose port would be open to all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ipc.identity import trust
from ipc.websocket.client import Client
from tests.support.daemon import TOKEN, Daemon
from tests.support.encryption import encryption

pytestmark = pytest.mark.e2e

LOCAL: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}}}}}


async def test_the_supervisor_and_the_command_line_speak_through_encryption(
    tmp_path: Path,
) -> None:
    cert, tls = encryption(tmp_path)
    async with Daemon(tmp_path, LOCAL | {"gateway": {"tls": tls}}) as daemon:
        url = f"wss://127.0.0.1:{daemon.port}"
        async with await Client.connect(url, token=TOKEN, tls=trust.trusting(cert)) as client:
            assert "local" in (await client.call("health"))["channels"]
        code, out, error = await asyncio.to_thread(daemon.cli, "gateway", "call", "health")
        assert code == 0, error
        assert json.loads(out)["ok"] is True


async def test_encryption_may_begin_and_end_while_the_daemon_runs(tmp_path: Path) -> None:
    cert, tls = encryption(tmp_path)
    async with Daemon(tmp_path, LOCAL) as daemon:
        before = (await daemon.status())["gateway"]["pid"]
        for section in (tls, {"enabled": False}):
            daemon.write(LOCAL | {"gateway": {"tls": section}})
            status = await daemon.wait(
                lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != before  # noqa: B023
            )
            before = status["gateway"]["pid"]
            url, trusted = status["gateway"]["url"], None
            assert url.startswith("wss://" if section is tls else "ws://")
            if section is tls:
                trusted = trust.trusting(cert)
            async with await Client.connect(url, token=TOKEN, tls=trusted) as client:
                assert "local" in (await client.call("health"))["channels"]


async def test_a_gateway_without_a_secret_is_for_this_host_only(tmp_path: Path) -> None:
    gateway = {"auth": {"mode": "none"}, "bind": "lan"}
    daemon = Daemon(tmp_path, LOCAL | {"gateway": gateway})
    code, _, error = await asyncio.to_thread(daemon.cli, "up")
    await daemon.__aexit__()
    assert code == 78
    assert "gateway.bind: is 'lan'; allowed with auth.mode none: loopback" in error
