"""The command line of the unit, run as systemd would run it."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from ops.actions.service import facts_of, service_of
from ops.connect.target import RuntimeTarget
from ops.service.unit import command_of, environment_of, unit_text
from tests.support.daemon import TOKEN, Daemon


async def test_what_the_unit_starts_reports_ready_has_its_credentials_and_ends_on_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "gateway").write_text(f"{TOKEN}\n")
    token = {"source": "credential", "id": "gateway"}
    config = {"gateway": {"auth": {"token": token}}, "channels": {"local": {"accounts": {"a": {}}}}}
    daemon = Daemon(tmp_path, config)
    given = {"state_dir": str(tmp_path / "state"), "config": str(daemon.config_path)}
    unit = unit_text(facts_of(service_of(RuntimeTarget(given), "user")))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(daemon.run_dir.parent / "notify"))
        manager.settimeout(30)
        env = daemon.env | environment_of(unit)
        env |= {"NOTIFY_SOCKET": manager.getsockname(), "CREDENTIALS_DIRECTORY": str(credentials)}

        def until(wanted: str) -> None:
            while wanted not in manager.recv(4096).decode():
                pass

        for name in ("TRUNKLINE_STATE_DIR", "TRUNKLINE_CONFIG_PATH", "PYTHONPATH"):
            env.pop(name, None)
        # in the directory of a unit without WorkingDirectory=
        command = command_of(unit)
        daemon.process = process = await asyncio.to_thread(
            lambda: subprocess.Popen(command, env=env, cwd="/")
        )
        try:
            await asyncio.to_thread(until, "READY=1")
            client = await daemon.client()
            await client.close()
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(until, "STOPPING=1")
            assert await asyncio.to_thread(process.wait, 30) == 0
        finally:
            await daemon.__aexit__()
