"""Remote control of the real daemon: configuration, logs, draining, a restart of the gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.websocket.client import Client
from runtime.supervisor.gateways.restart_requests import GAP
from tests.support.daemon import TOKEN, Daemon
from tests.support.irc_server import miniircd
from tests.support.until import PATIENCE

CONFIG = {
    "channels": {"local": {"accounts": {"a": {}, "b": {"greeting": "hi"}}}},
    "agents": {"default": "echo"},
}


async def up(daemon: Daemon) -> Client:
    for key in ("local:a", "local:b"):
        await daemon.wait_phase(key, "running")
    return await daemon.client()


async def say(daemon: Daemon, text: str, account: str = "a") -> str:
    """Say something as a person; return the echo."""
    path = daemon.run_dir / f"local-{account}.sock"
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(text.encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return (await reader.readline()).decode().strip()
    finally:
        writer.close()
        await writer.wait_closed()


async def messages(client: Client, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        async for event in client.events():
            if event.event == "channel.message":
                assert isinstance(event.payload, msgspec.Raw)
                found.append(msgspec.json.decode(event.payload))
            if len(found) == count:
                break
    return found


async def test_a_configuration_is_read_patched_and_taken_over(tmp_path: Path) -> None:
    async with Daemon(tmp_path, CONFIG) as daemon:
        client = await up(daemon)
        shown = await client.call("config.get", {})
        assert TOKEN not in json.dumps(shown)
        assert shown["valid"]
        assert shown["hash"] == shown["appliedConfigHash"]
        patch: dict[str, Any] = {"channels": {"local": {"accounts": {"b": None, "c": {}}}}}
        given = {"raw": json.dumps(patch), "baseHash": shown["hash"]}
        answer = await client.call("config.patch", given)
        assert (answer["added"], answer["removed"]) == (["local:c"], ["local:b"])
        await daemon.wait_phase("local:c", "running")
        assert TOKEN in daemon.config_path.read_text()
        with pytest.raises(RemoteError, match="config changed since last load; re-run"):
            await client.call("config.patch", given)
        with pytest.raises(RemoteError, match="config base hash required; re-run"):
            await client.call("config.set", {"raw": "{}"})
        shown = await client.call("config.get", {})
        now, text = shown["hash"], shown["raw"].replace('"channels"', '"chanels"')
        with pytest.raises(RemoteError) as caught:
            await client.call("config.set", {"raw": text, "baseHash": now})
        assert caught.value.message.startswith("invalid config: chanels: unknown")
        assert caught.value.details["issues"]
        schema = await client.call("config.schema", {})
        assert "local" in schema["schema"]["properties"]["channels"]["properties"]
        place = await client.call("config.schema.lookup", {"path": "channels.local.accounts.a"})
        assert "enabled" in {each["key"] for each in place["children"]}
        with pytest.raises(RemoteError, match="config schema path not found"):
            await client.call("config.schema.lookup", {"path": "nothing.there"})
        await client.close()


async def test_what_the_next_start_would_refuse_is_not_written(tmp_path: Path) -> None:
    """The file is checked as `trunkline up` does it, before it is replaced."""
    refused = {
        "{gateway: {auth: {token: null}}}": "gateway.auth.token: is missing",
        "{gateway: {bind: 'lan', auth: {mode: 'none'}}}": "gateway.bind: is 'lan'",
        "{gateway: {auth: {mode: 'trusted-proxy'}}}": "gateway.trustedProxies: is empty",
        "{gateway: {auth: {token: {source: 'env', id: 'NO_SUCH'}}}}": "NO_SUCH is not set",
        "{gateway: {auth: {password: {source: 'file', id: '/no'}}}}": "gateway.auth.password",
        "{gateway: {tls: {enabled: true, certPath: '/no', keyPath: '/no'}}}": "gateway.tls",
    }
    async with Daemon(tmp_path, CONFIG | {"gateway": {"remoteExec": True}}) as daemon:
        client = await up(daemon)
        before = daemon.config_path.read_text()
        base = (await client.call("config.get", {}))["hash"]
        asked = [("config.patch", raw, words) for raw, words in refused.items()]
        asked += [(name, "{}", "gateway.auth.token") for name in ("config.set", "config.apply")]
        for name, raw, words in asked:
            with pytest.raises(RemoteError) as caught:
                await client.call(name, {"raw": raw, "baseHash": base})
            assert words in caught.value.message
            assert daemon.config_path.read_text() == before
        now = await client.call("config.get", {})
        assert (now["hash"], now["valid"]) == (base, True)
        daemon.config_path.write_text("{}")
        issues = (await client.call("config.get", {}))["issues"]
        assert [each["path"] for each in issues] == ["gateway.auth.token"]
        await client.close()


async def test_logs_go_on_from_a_cursor(tmp_path: Path) -> None:
    async with Daemon(tmp_path, CONFIG) as daemon:
        client = await up(daemon)
        first = await client.call("logs.tail", {"limit": 5000})
        assert any('"account":"gateway"' in line for line in first["lines"])
        assert await asyncio.to_thread(Path(first["file"]).is_file)
        assert (await client.call("logs.tail", {"maxBytes": 10}))["lines"] == []
        await client.call("channels.restart", {"channel": "local", "accountId": "a"})
        await daemon.wait(lambda s: s["accounts"]["local:a"]["restarts"] == 1)
        await daemon.wait_phase("local:a", "running")
        more = await client.call("logs.tail", {"cursor": first["cursor"]})
        assert more["lines"]
        assert not set(more["lines"]) & set(first["lines"])
        again = await client.call("logs.tail", {"cursor": 10**12})
        assert again["reset"] is True
        await client.close()


async def test_a_drained_account_is_stopped_and_held(tmp_path: Path) -> None:
    async with Daemon(tmp_path, CONFIG) as daemon:
        client = await up(daemon)
        answer = await client.call("channels.drain", {"accounts": ["local:a"], "reason": "tidy"})
        (result,) = answer["results"]
        assert (result["account"], result["ok"], result["drained"]) == ("local:a", True, True)
        row = (await daemon.status())["accounts"]["local:a"]
        assert (row["phase"], row["hold"]["reason"]) == ("stopped", "tidy")
        await client.close()


async def test_what_was_said_before_a_gateway_restart_is_replayed_after_it(tmp_path: Path) -> None:
    async with Daemon(tmp_path, CONFIG) as daemon:
        client = await up(daemon)
        for number in range(3):
            assert await say(daemon, f"text {number}") == f"echo: text {number}"
        before = await messages(client, 6)
        answer = await client.call("gateway.restart.request", {"reason": "test"})
        assert answer["status"] == "scheduled"
        async with asyncio.timeout(PATIENCE):
            code, _ = await asyncio.shield(client.closed)
        assert code == 1012
        await client.close()
        await daemon.wait(lambda s: s["gateway"]["connected"] and s["gateway"]["incarnation"])
        after = await daemon.client(caps=(), retry=(0.15, 0.35, 0.75, 1.5))
        cursors = {"local:a": before[1]["cursor"]}
        replay = await after.call("events.subscribe", {"cursors": cursors})
        assert (replay["replayed"], replay["gaps"]) == (4, [])
        assert await messages(after, 4) == before[2:]
        await after.close()


def _in_force(status: dict[str, Any]) -> bool:
    gateway, revision = status["gateway"], status["supervisor"]["configRevision"]
    return bool(gateway["connected"]) and gateway["revision"] == revision


async def test_a_change_of_the_gateways_part_restarts_it_once(tmp_path: Path) -> None:
    """Writing it, the watched file and what follows are one restart together."""
    reload = {"mode": "hybrid", "debounceMs": 50}
    async with Daemon(tmp_path, CONFIG | {"gateway": {"reload": reload}}) as daemon:
        client = daemon.reconnecting()
        await client.open()
        before = (await daemon.status())["gateway"]["incarnation"]
        for interval in (20_000, 25_000):
            now = (await client.call("config.get"))["hash"]
            patch = json.dumps({"gateway": {"tickIntervalMs": interval}})
            answer = await client.call("config.patch", {"raw": patch, "baseHash": now})
            assert answer["restart"]["ok"] is True
            await daemon.wait(_in_force)
            await client.opened()
            assert client.hello["policy"]["tickIntervalMs"] == interval
        await asyncio.sleep(GAP + 0.5)  # nothing more is to come: that has no event
        assert (await daemon.status())["gateway"]["incarnation"] == before + 2
        await client.close()


async def test_a_gateway_that_is_to_stay_is_not_restarted_by_a_write(tmp_path: Path) -> None:
    async with Daemon(tmp_path, CONFIG | {"gateway": {"reload": {"mode": "hot"}}}) as daemon:
        client = await daemon.client()
        before = (await daemon.status())["gateway"]["incarnation"]
        now = (await client.call("config.get"))["hash"]
        patch = json.dumps({"gateway": {"tickIntervalMs": 20_000}})
        answer = await client.call("config.patch", {"raw": patch, "baseHash": now})
        assert answer["restart"] is None
        status = await daemon.status()
        assert "waits for `trunkline gateway restart`" in str(status["supervisor"]["warnings"])
        await asyncio.sleep(0.5)  # it would have ended by then
        assert not client.closed.done()
        assert (await daemon.status())["gateway"]["incarnation"] == before
        await client.close()


async def test_only_accounts_with_another_secret_are_replaced(tmp_path: Path) -> None:
    with miniircd() as server:
        accounts = {}
        for name in ("one", "two"):
            secret = tmp_path / name
            secret.write_text(f"password-of-{name}")
            secret.chmod(0o600)
            password = {"source": "file", "id": str(secret)}
            place = {"server": "127.0.0.1", "port": server.port, "tls": False}
            accounts[name] = {"nick": name, "password": password, **place}
        async with Daemon(tmp_path, {"channels": {"irc": {"accounts": accounts}}}) as daemon:
            for name in accounts:
                await daemon.wait_phase(f"irc:{name}", "running")
            client = daemon.reconnecting()
            await client.open()
            same = await client.call("secrets.reload")
            assert same == {"ok": True, "warningCount": 0, "restarted": []}
            (tmp_path / "two").write_text("another-password")
            assert (await client.call("secrets.reload"))["restarted"] == ["irc:two"]
            await daemon.wait(lambda s: s["accounts"]["irc:two"]["restarts"] == 1)
            await daemon.wait_phase("irc:two", "running")
            (tmp_path / "one").unlink()
            found = await client.call("secrets.reload")
            assert (found["warningCount"], found["restarted"]) == (1, [])
            assert found["warnings"][0]["account"] == "irc:one"
            assert (await daemon.status())["accounts"]["irc:one"]["restarts"] == 0
            await client.close()
