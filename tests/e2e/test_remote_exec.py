"""Through a gateway nobody can make the real daemon run commands; on its host everybody can."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from ipc.errors import RemoteError
from ipc.websocket.client import Client
from tests.support.daemon import CLI, TOKEN, Daemon
from tests.support.until import until
from tests.support.virtualenvs import fake_interpreter

CONFIG: dict[str, Any] = {
    "channels": {
        "local": {"accounts": {"a": {}}},
        "irc": {"accounts": {"b": {"server": "127.0.0.1", "nick": "n", "enabled": False}}},
    }
}


def running(mark: Path) -> dict[str, str]:
    """Return a reference whose command leaves ``mark``, and prints a secret."""
    return {"source": "exec", "id": shlex.join(["sh", "-c", f"touch {mark}; echo hunter2"])}


async def patch(client: Client, change: dict[str, Any]) -> Any:
    base = (await client.call("config.get", {}))["hash"]
    return await client.call("config.patch", {"raw": json.dumps(change), "baseHash": base})


async def shell(daemon: Daemon, command: str, text: str | None = None) -> tuple[int, str]:
    """Run a command as a person types it on the host; return its exit code and stderr.

    Of the daemon's places only that of the sockets is in the environment, as a chosen one must be.
    """
    words = shlex.split(command)
    assert words[0] == "trunkline"
    done = await asyncio.to_thread(
        subprocess.run,
        [*CLI, *words[1:]],
        env={name: daemon.env[name] for name in ("PATH", "PYTHONPATH", "TRUNKLINE_RUNTIME_DIR")},
        input=text,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


async def test_fields_that_run_commands_are_refused_through_the_gateway_and_changed_on_the_host(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "mark"
    change = {"gateway": {"auth": {"password": running(mark)}}}
    async with Daemon(tmp_path, CONFIG) as daemon:
        client = await daemon.client()
        before = daemon.config_path.read_text()
        with pytest.raises(RemoteError) as caught:
            await patch(client, change)
        error = caught.value
        assert error.code == "FORBIDDEN"
        assert error.details["code"] == "LOCAL_FIELDS"
        assert error.details["fields"] == ["gateway.auth.password"]
        assert (daemon.config_path.read_text(), mark.exists()) == (before, False)

        code, said = await shell(daemon, error.details["command"])
        assert (code, mark.exists()) == (0, True), said
        written = pyjson5.decode(daemon.config_path.read_text())
        assert written["gateway"]["auth"]["password"] == running(mark)
        await client.close()


async def test_every_way_through_the_gateway_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    exec_ = running(mark)
    irc = {"server": "127.0.0.1", "nick": "n", "password": exec_}
    python = str(fake_interpreter(tmp_path / "python", f"touch {mark}"))
    changes: list[dict[str, Any]] = [
        {"gateway": {"auth": {"token": exec_}}},
        {"gateway": {"command": ["touch", str(mark)]}},
        {"gateway": {"tls": {"certPath": str(mark)}}},
        {"gateway": {"remoteExec": True}},
        {"gateway": {"remoteExec": True, "auth": {"token": exec_}}},
        {"channels": {"irc": {"accounts": {"new": irc}}}},
        {"channels": {"irc": {"accounts": {"b": {"password": exec_, "enabled": True}}}}},
        {"channels": {"irc": {"password": exec_, "accounts": {"b": {"enabled": True}}}}},
        {"channels": {"irc": {"accounts": {"b": {"server": "127.0.0.2"}}}}},
        {"channels": {"local": {"accounts": {"a": {"python": python}}}}},
        {"channels": {"local": {"python": python}}},
    ]
    async with Daemon(tmp_path, CONFIG) as daemon:
        client = await daemon.client()
        before = daemon.config_path.read_text()
        shown = await client.call("config.get", {})
        for change in changes:
            whole = {**shown["config"], **change}
            for name, raw in (("patch", change), ("set", whole), ("apply", whole)):
                given = {"raw": json.dumps(raw), "baseHash": shown["hash"]}
                with pytest.raises(RemoteError) as caught:
                    await client.call(f"config.{name}", given)
                assert caught.value.code == "FORBIDDEN", (name, change)
                with pytest.raises(RemoteError, match=r"unknown|unexpected"):
                    await client.call(f"config.{name}", {**given, "remote": False})
        with pytest.raises(RemoteError):
            await client.call("config.reload", {})
        assert (daemon.config_path.read_text(), mark.exists()) == (before, False)
        await client.close()


async def test_over_the_socket_of_the_host_it_works_and_then_from_elsewhere(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Daemon(tmp_path, CONFIG) as daemon:
        local, client = await daemon.local(), await daemon.client()
        await patch(local, {"channels": {"irc": {"accounts": {"b": {"server": "127.0.0.2"}}}}})
        gateway = (await local.call("supervisor.status", {}))["gateway"]["pid"]
        await patch(local, {"gateway": {"remoteExec": True}})
        assert (await local.call("supervisor.status", {}))["gateway"]["pid"] == gateway
        await patch(client, {"gateway": {"auth": {"password": running(mark)}}})
        await until(mark.exists)
        await patch(local, {"gateway": {"remoteExec": False}})
        await client.close()
        await daemon.wait(lambda status: status["gateway"]["connected"])
        again = await daemon.client()
        with pytest.raises(RemoteError) as caught:
            await patch(again, {"gateway": {"command": ["id"]}})
        assert caught.value.code == "FORBIDDEN"
        await again.close()
        await local.close()


async def test_a_reader_sees_where_secrets_lie_and_none_of_them(tmp_path: Path) -> None:
    """Neither in the configuration, nor in what becomes of an account that cannot have its own."""
    secrets = {name: f"{name}-hunter2" for name in ("file", "env", "argument", "url")}
    lies = tmp_path / "secret"
    lies.write_text(secrets["file"])
    failing = {"source": "exec", "id": f"false --token={secrets['argument']}"}
    b = {
        "server": "127.0.0.1",
        "nick": "n",
        "password": {"source": "file", "id": str(lies)},
        "sasl": {"user": "u", "password": {"source": "env", "id": "IRC_SECRET"}},
    }
    config: dict[str, Any] = {
        "gateway": {
            "auth": {"token": TOKEN, "password": {"source": "file", "id": str(lies)}},
            "allowedOrigins": [f"https://u:{secrets['url']}@chat.example"],
        },
        "channels": {"irc": {"port": 1, "accounts": {"b": b, "c": {**b, "password": failing}}}},
    }
    async with Daemon(tmp_path, config, IRC_SECRET=secrets["env"]) as daemon:
        reader = await daemon.client(scopes=("operator.read",))
        await daemon.wait(lambda status: status["accounts"]["irc:c"]["lastError"])
        seen = [
            await reader.call("config.get", {}),
            await reader.call("channels.status", {}),
            await reader.call("status", {}),
            await reader.call("channels.describe", {"account": "irc:c"}),
            await reader.call("channels.logs", {}),
            await reader.call("logs.tail", {"limit": 5000}),
        ]
        text = json.dumps(seen)
        assert "false --token=" in text
        assert str(lies) in text
        assert "IRC_SECRET" in text
        for secret in (TOKEN, *secrets.values()):
            assert secret not in text
        with pytest.raises(RemoteError, match="missing scope"):
            await patch(reader, {"agents": {"default": "none"}})
        await reader.close()


async def test_the_command_line_through_a_gateway_is_remote_and_prints_what_to_do(
    tmp_path: Path,
) -> None:
    change = (
        '{"channels":{"irc":{"accounts":{"c":{"server":"127.0.0.1","nick":"c","password":"pw"}}}}}'
    )
    async with Daemon(tmp_path, CONFIG) as daemon:
        url = f"--url ws://127.0.0.1:{daemon.port} --token {TOKEN}"
        code, said = await shell(daemon, f"trunkline config patch {shlex.quote(change)} {url}")
        assert code == 1
        assert "channels.irc.accounts.c.server: only changed on the gateway's host" in said
        command = said.partition("Run there: ")[2].partition(" (it reads")[0]
        assert command.endswith(" -")  # there is a password in it
        code, said = await shell(daemon, command, change)
        assert code == 0, said
        await daemon.wait(lambda status: "irc:c" in status["accounts"])
