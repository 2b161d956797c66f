"""Which gateway is meant, with which secret, and what its absence says."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ops.connect.gateway import (
    PASSWORD_VARIABLE,
    TOKEN_VARIABLES,
    GatewayAddress,
    address_at,
    address_of,
)
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from tests.support.commandline import trunkline
from tests.support.fakeserver import (
    account,
    fake_gateway,
    fake_supervisor,
    status,
)
from tests.support.gateway_rig import TOKEN, gateway_rig

CONFIGURATION = "{gateway: {auth: {token: {source: 'env', id: 'GW'}}}}"
ELSEWHERE = "127.1"  # leads to this host, and is not known to be loopback, like a name


@asynccontextmanager
async def reverse_proxy(gateway: str) -> AsyncIterator[str]:
    """Serve a reverse proxy for a gateway; yield the URL of the gateway behind it."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(gateway)
        there, towards = await asyncio.open_connection(parts.hostname, parts.port)
        head = await reader.readuntil(b"\r\n\r\n")
        towards.write(head[:-2] + b"X-Forwarded-For: 203.0.113.9\r\n\r\n")
        await asyncio.gather(pump(reader, towards), pump(there, writer))

    server = await asyncio.start_server(on_client, "127.0.0.1", 0)
    try:
        yield f"ws://{ELSEWHERE}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_gateway_on_another_host_approves_this_computer_once(state: Path) -> None:
    settings: dict[str, Any] = {"publicUrl": f"http://{ELSEWHERE}", "trustedProxies": ["127.0.0.1"]}
    async with gateway_rig(**settings) as rig, reverse_proxy(rig.url) as url:
        listed = ("devices", "list", "--json", "--url", url)
        refused = await trunkline(state, *listed, "--token", TOKEN)
        refused.complains(ExitCode.ERROR, url, "must approve this computer once")
        request = re.search(r"`trunkline devices approve ([\w-]+)`", refused.err)
        assert request is not None
        # What needs no rights needs no approval.
        health = await trunkline(state, "gateway", "health", "--url", url, "--token", TOKEN)
        assert (health.code, health.out) == (0, "ok\n")
        await (await rig.client()).call("device.pair.approve", {"requestId": request[1]})
        approved = await trunkline(state, *listed, "--token", TOKEN)
        assert approved.code == 0, approved.err
        (device,) = json.loads(approved.out)["paired"]
        assert device["displayName"].startswith("trunkline on ")
        key = state / "cli-identity.json"
        assert key.stat().st_mode & 0o777 == 0o600
        # From then on its own token counts.
        assert (await trunkline(state, *listed)).code == 0
        assert TOKEN not in key.read_text()


async def test_a_gateway_on_this_host_needs_no_device(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKLINE_STATE_DIR", str(state))
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert (await address_of(RuntimeTarget({}, f"ws://{host}:1"))).identity is None
    found = await address_of(RuntimeTarget({}, "wss://chat.example"))
    assert found.identity == state / "cli-identity.json"
    assert not found.identity.exists()


async def test_a_gateway_that_is_not_there_is_not_running(state: Path) -> None:
    result = await trunkline(state, "gateway", "health", "--url", "ws://127.0.0.1:1")
    result.complains(ExitCode.NOT_RUNNING, "ws://127.0.0.1:1")


async def test_of_our_own_gateway_the_command_that_says_more_is_named(state: Path) -> None:
    (state / "trunkline.json5").write_text("{gateway: {auth: {token: 't0ken'}}}")
    rows = status(account("local:demo"), url="ws://127.0.0.1:1")
    async with fake_supervisor(state, supervisor__status=rows):
        result = await trunkline(state, "gateway", "health")
    result.complains(ExitCode.NOT_RUNNING, "ws://127.0.0.1:1", "`trunkline gateway status` says")


async def test_a_wrong_token_is_an_error(state: Path) -> None:
    async with fake_gateway("right", health={"ok": True}) as fake:
        result = await trunkline(state, "gateway", "health", "--url", fake.url, "--token", "wrong")
        result.complains(ExitCode.ERROR, "token mismatch")
        assert "wrong" not in result.err


async def test_a_gateway_that_does_not_answer_is_a_timeout(state: Path) -> None:
    async with fake_gateway() as fake:
        fake.hangs = True
        args = ("--url", fake.url, "--token", "secret", "--timeout", "0.2")
        result = await trunkline(state, "gateway", "health", *args)
        result.complains(ExitCode.TIMEOUT, "0.2 s")


async def test_our_own_gateway_is_found_with_its_secret(state: Path) -> None:
    (state / "trunkline.json5").write_text(CONFIGURATION)
    async with fake_gateway("t0ken", health={"ok": True}) as gateway:
        rows = status(account("local:demo"), url=gateway.url)
        async with fake_supervisor(state, supervisor__status=rows):
            result = await trunkline(state, "gateway", "health", GW="t0ken")
            missing = await trunkline(state, "gateway", "health")
    assert (result.code, result.out) == (0, "ok\n")
    missing.complains(ExitCode.CONFIGURATION, "gateway.auth", "GW")


async def test_the_configured_token_is_not_sent_to_a_url_that_was_typed(state: Path) -> None:
    (state / "trunkline.json5").write_text("{gateway: {auth: {token: 't0ken'}}}")
    async with fake_gateway("t0ken", health={"ok": True}) as fake:
        result = await trunkline(state, "gateway", "health", "--url", fake.url)
    result.complains(ExitCode.ERROR, "unauthorized")
    assert "auth" not in fake.hellos[0]


@pytest.mark.parametrize(
    "command",
    [
        "message send --account irc:a --target x --message m",
        "gateway health",
        "gateway call health",
        "nodes list",
        "devices list",
    ],
)
async def test_without_a_supervisor_the_token_is_sent_to_no_program(
    state: Path, command: str
) -> None:
    """Whoever listens on the configured port then is a stranger."""
    async with fake_gateway("t0ken", health={"ok": True}) as stranger:
        text = f"{{gateway: {{port: {stranger.port}, auth: {{token: 't0ken'}}}}}}"
        (state / "trunkline.json5").write_text(text)
        (await trunkline(state, *command.split())).complains(ExitCode.NOT_RUNNING, "trunkline up")
        assert stranger.hellos == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://x",
        "ws://",
        "ws://:1",
        "ws://127.0.0.1:0",
        "ws://127.0.0.1:99999",
        "ws://[::1",
        "127.0.0.1:1",
    ],
)
def test_what_is_no_address_of_a_gateway_is_a_usage_error(url: str) -> None:
    with pytest.raises(OperatorError, match="--url") as caught:
        address_at(url, None)
    assert caught.value.exit is ExitCode.USAGE


def test_the_secret_of_an_address_is_the_flags_else_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (*TOKEN_VARIABLES, PASSWORD_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    assert address_at("ws://x:1", None) == GatewayAddress("ws://x:1")
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", "theirs")
    assert address_at("ws://x:1", None).token == "theirs"
    monkeypatch.setenv("TRUNKLINE_GATEWAY_TOKEN", "ours")
    assert address_at("ws://x:1", None).token == "ours"
    monkeypatch.setenv("OPENCLAW_GATEWAY_PASSWORD", "word")
    assert address_at("wss://x", "flag") == GatewayAddress("wss://x", "flag", "word")
