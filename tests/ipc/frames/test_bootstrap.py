"""What a child is given at its birth, over the pipe."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.bootstrap import ChannelInfo, GatewayBoot, WorkerBoot, gateway_boot, worker_boot

WORKER = WorkerBoot(
    key="irc:libera",
    incarnation=3,
    token="t",
    control="ipc:///run/control.ipc",
    data="ipc:///run/data.ipc",
    manifest="workers.channels.irc:manifest",
    config={"nick": "bot"},
    storage="/state/irc",
    run_dir="/run",
)
GATEWAY = GatewayBoot(
    incarnation=7,
    version="1.2",
    session_token="s",
    secret=b"\x00\xff",
    data="ipc:///run/data.ipc",
    gateway={"port": 18789},
    agents={},
    channels=[ChannelInfo("irc", "IRC", "IRC", "number", None, ["libera"])],
    state_dir="/state",
    config_path="/etc/trunkline.json5",
)


def test_a_worker_s_boot_survives_the_pipe() -> None:
    assert worker_boot(msgspec.msgpack.encode(WORKER)) == WORKER


def test_a_gateway_s_boot_survives_the_pipe_with_its_secret() -> None:
    assert gateway_boot(msgspec.msgpack.encode(GATEWAY)) == GATEWAY


@pytest.mark.parametrize("missing", ["key", "token", "control", "config"])
def test_what_has_no_default_must_be_given(missing: str) -> None:
    fields: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(WORKER).items() if name != missing
    }
    with pytest.raises(msgspec.ValidationError, match=missing):
        worker_boot(msgspec.msgpack.encode(fields))
