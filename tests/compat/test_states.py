"""What earlier revisions wrote is read by this one; README.md tells how the states were made."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ipc.errors import RemoteError
from ipc.identity.device import Identity
from ipc.websocket.client import Client
from ipc.websocket.connect import OPERATOR
from runtime.config.load import load
from runtime.config.places import resolve
from tests.compat.record_state import PORT, REASON, TOKEN
from tests.support.daemon import Daemon

STATES = sorted(path for path in Path(__file__).with_name("states").iterdir())


@pytest.fixture(params=STATES, ids=lambda path: path.name)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a recorded state directory, with the modes that Git does not keep."""
    copy = tmp_path / "state"
    shutil.copytree(request.param, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return copy


@contextlib.asynccontextmanager
async def daemon_on(state: Path) -> AsyncIterator[Daemon]:
    """Run today's daemon on a recorded state, on a port that is free."""
    daemon = Daemon(state.parent, {})
    daemon.config_path = state / "trunkline.json5"
    daemon.env["TRUNKLINE_CONFIG_PATH"] = str(daemon.config_path)
    text = daemon.config_path.read_text()
    assert str(PORT) in text
    daemon.config_path.write_text(text.replace(str(PORT), str(daemon.port)))
    async with daemon:
        for key in ("local:demo", "local:crashing"):
            await daemon.wait_phase(key, "running")
        yield daemon


def test_the_configuration_is_found_and_valid(state: Path) -> None:
    path = resolve({"TRUNKLINE_STATE_DIR": str(state)}).config_path
    loaded = load(path)
    assert list(loaded.accounts) == [
        "local:demo",
        "local:crashing",
        "local:stopped",
        "irc:libera",
    ]
    assert loaded.config.gateway.auth.token == TOKEN
    assert loaded.accounts["irc:libera"].config["server"] == "irc.example.net"
    assert loaded.accounts["local:stopped"].agent == "none"


@pytest.mark.e2e
async def test_holds_history_and_boot_number_go_on(state: Path) -> None:
    holds = json.loads((state / "holds.json").read_text())
    boot = int((state / "boot").read_text())
    async with daemon_on(state) as daemon:
        status = await daemon.status()
        assert status["supervisor"]["boot"] == boot + 1
        assert status["supervisor"]["warnings"] == []
        accounts = status["accounts"]
        assert {key: row["phase"] for key, row in accounts.items()} == {
            "local:demo": "running",
            "local:crashing": "running",
            "local:stopped": "stopped",
            "irc:libera": "stopped",
        }
        assert accounts["irc:libera"]["hold"] == holds["irc:libera"]
        assert holds["irc:libera"]["reason"] == REASON
        assert accounts["local:stopped"]["hold"] == holds["local:stopped"]
        code, printed, _ = await daemon.command("channels", "events", "local:crashing", "--json")
        assert code == 0
        events = json.loads(printed)["events"]
        assert ("backoff", "killed") in [(each["phase"], each["cause"]) for each in events]
        assert [each["incarnation"] >> 20 for each in events[:1] + events[-1:]] == [1, boot + 1]
    assert json.loads((state / "holds.json").read_text()) == holds


@pytest.mark.e2e
async def test_a_paired_device_comes_in_with_its_token_alone(state: Path) -> None:
    async with daemon_on(state) as daemon:
        url = f"ws://127.0.0.1:{daemon.port}"
        identity = Identity.load(state / "client" / "identity.json")
        recorded = identity.token(f"ws://127.0.0.1:{PORT}", "operator")
        assert recorded is not None
        identity.store_token(url, "operator", recorded, list(OPERATOR), at_ms=0)
        async with await Client.connect(url, identity=identity) as client:
            listed = await client.call("device.pair.list")
        assert [each["deviceId"] for each in listed["paired"]] == [identity.id]
        assert listed["pending"] == []


@pytest.mark.e2e
async def test_the_token_of_the_file_opens_the_gateway_and_no_other_does(state: Path) -> None:
    async with daemon_on(state) as daemon:
        url = f"ws://127.0.0.1:{daemon.port}"
        async with await Client.connect(url, token=TOKEN) as client:
            assert (await client.call("health"))["ok"] is True
        with pytest.raises(RemoteError, match="unauthorized"):
            await Client.connect(url, token="another")
