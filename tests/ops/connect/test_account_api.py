"""One account API, the same over the supervisor and over a gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.connect.account_api import AccountApi, connected_account_api
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from tests.support.commandline import trunkline
from tests.support.daemon import TOKEN, Daemon
from tests.support.fakeserver import FakeServer, fake_gateway

CONFIG: dict[str, Any] = {"channels": {"local": {"accounts": {"a": {}, "b": {}}}}}
WAYS = ["supervisor", "gateway"]


def target_of(daemon: Daemon, way: str) -> RuntimeTarget:
    """Return the daemon as its supervisor or as its gateway."""
    if way == "gateway":
        return RuntimeTarget({}, f"ws://127.0.0.1:{daemon.port}", TOKEN)
    return RuntimeTarget({"state_dir": str(daemon.directory / "state")})


@asynccontextmanager
async def real_api(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Daemon, AccountApi]]:
    async with Daemon(tmp_path, CONFIG) as daemon:
        monkeypatch.setenv("TRUNKLINE_RUNTIME_DIR", str(daemon.run_dir))
        for key in ("local:a", "local:b"):
            await daemon.wait_phase(key, "running")
        async with connected_account_api(target_of(daemon, way)) as api:
            yield daemon, api


@pytest.mark.e2e
@pytest.mark.parametrize("way", WAYS)
async def test_the_reason_of_a_stop_is_kept_with_the_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    async with real_api(tmp_path, way, monkeypatch) as (daemon, api):
        rows = await api.control("stop", ["local"], "moving house", 10.0)
        assert [(row["account"], row["ok"], row["outcome"]) for row in rows] == [
            ("local:a", True, "stopped"),
            ("local:b", True, "stopped"),
        ]
        for row in (await daemon.status())["accounts"].values():
            assert row["hold"]["reason"] == "moving house"


@pytest.mark.e2e
@pytest.mark.parametrize("way", WAYS)
async def test_a_restart_names_the_incarnation_that_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """What waits for the new process would else take the old one, which still runs, for it."""
    async with real_api(tmp_path, way, monkeypatch) as (daemon, api):
        before = (await daemon.status())["accounts"]
        rows = await api.control("restart", ["local:a", "local:b"], None, 10.0)
        assert {row["account"]: row["incarnation"] for row in rows} == {
            key: row["incarnation"] for key, row in before.items()
        }
        shown = (await api.status())["accounts"]
        assert all(row["incarnation"] >= before[row["account"]]["incarnation"] for row in shown)


@pytest.mark.parametrize(("offered", "sent"), [({"channels__holds": {}}, "why"), ({}, None)])
async def test_a_gateway_that_keeps_no_reasons_is_not_sent_one(
    state: Path, offered: dict[str, Any], sent: str | None
) -> None:
    """OpenClaw's refuses unknown fields, and the account would run on."""
    async with fake_gateway(channels__stop={"stopped": True}, **offered) as fake:
        args = ("channels", "stop", "irc:a", "--reason", "why", "--url", fake.url)
        assert (await trunkline(state, *args, "--token", "secret")).out == "irc:a  stopped\n"
    assert fake.asked[-1][1].get("reason") == sent


@pytest.mark.parametrize(
    ("targets", "asked"),
    [
        (["irc:a"], ["a"]),
        (["irc"], ["a", "b"]),
        (["*"], ["a", "b"]),
        (["irc:b", "irc"], ["b", "a"]),
        (["irc:unknown"], ["unknown"]),
    ],
)
async def test_targets_become_requests_for_single_accounts_of_a_gateway(
    targets: list[str], asked: list[str]
) -> None:
    async with fake_gateway(**_snapshots(), channels__start={}) as fake, _api(fake) as api:
        rows = await api.control("start", targets, None, 5.0)
        starts = [params["accountId"] for name, params in fake.asked if name == "channels.start"]
    assert starts == asked
    assert [row["account"] for row in rows] == [f"irc:{name}" for name in asked]


async def test_a_channel_without_accounts_is_an_error_that_names_those_that_exist() -> None:
    async with fake_gateway(**_snapshots()) as fake, _api(fake) as api:
        with pytest.raises(OperatorError, match="no account of matrix; known: irc:a, irc:b"):
            await api.control("stop", ["matrix"], None, 5.0)


async def test_a_gateway_that_ends_is_named() -> None:
    async def vanish(params: Any) -> Any:
        for person in list(fake.people):
            person.transport.abort()

    async with fake_gateway(channels__start=vanish) as fake:
        with pytest.raises(OperatorError, match=f"the gateway at {fake.url} ended") as caught:
            async with _api(fake) as api:
                await api.control("start", ["irc:a"], None, 5.0)
    assert caught.value.exit is ExitCode.ERROR


def _snapshots() -> dict[str, Any]:
    accounts = [{"accountId": name, "phase": "running"} for name in ("a", "b")]
    return {"channels__status": {"channelAccounts": {"irc": accounts}}}


@asynccontextmanager
async def _api(fake: FakeServer) -> AsyncIterator[AccountApi]:
    async with connected_account_api(RuntimeTarget({}, fake.url, "secret")) as api:
        yield api
