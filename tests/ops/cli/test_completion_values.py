"""What a running daemon has to offer to the completion of a shell, at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.words import Phase
from ops.cli.completion_values import FILTER_FIELDS, PHASES, filters, profiles, socket_path
from ops.output.listing import FILTERS
from tests.support.commandline import (
    PROGRAM,
    cpu_beside_bare_python,
    environment,
    trunkline,
    unmeasured,
)
from tests.support.daemon import Daemon
from tests.support.fakeserver import account, fake_gateway, fake_supervisor, status

HEAVY = {"typer", "msgspec", "websockets", "zmq", "rich", "orjson", "structlog", "asyncio"}


async def test_keys_of_a_running_daemon(state: Path) -> None:
    many = status(*(account(f"local:{number}") for number in range(500)))
    many["agents"] = [account("agent:main")]
    async with fake_supervisor(state, supervisor__status=many):
        found = await trunkline(state, "__keys", "channels", "stop")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines() == [*(f"local:{n}" for n in range(500)), "agent:main"]


async def test_without_a_daemon_there_are_no_values_and_no_output(state: Path) -> None:
    found = await trunkline(state, "__keys")
    assert (found.code, found.out, found.err) == (0, "", "")


def test_the_options_of_the_line_name_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_RUNTIME_DIR", "")
    one, other = socket_path(["--state-dir", "/a", "x"]), socket_path(["--state-dir=/b"])
    assert one != other
    assert socket_path(["--profile", "p"]) == socket_path(["status", "--profile=p"])
    assert socket_path([]) == socket_path(["status"])
    assert socket_path(["--dev"]) == socket_path(["--profile", "dev"])


def test_it_imports_nothing_heavy_and_takes_a_few_starts_of_python(state: Path) -> None:
    env = unmeasured(environment(state))
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], "__keys"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert not imported & HEAVY
    assert cpu_beside_bare_python(env, "__keys") <= 10  # 5 by itself


PEOPLE = {
    "requests": [
        {"channel": "irc", "accountId": "a", "senderId": "ann"},
        {"channel": "irc", "accountId": "b", "senderId": "bob"},
    ],
    "people": [{"account": "irc:a", "senderId": "cid"}],
}
JOBS = {"jobs": [{"id": "j1"}, {"id": "two\nlines"}, {"id": "j2"}]}


@pytest.mark.parametrize(
    ("kind", "words", "found"),
    [
        ("@jobs", ["cron", "run"], ["j1", "j2"]),
        ("@jobs", ["cron", "run", "--url", "ws://elsewhere"], []),
        ("@people", ["pairing", "dismiss"], ["irc:a", "irc:b"]),
        ("@people", ["pairing", "dismiss", "irc:a"], ["ann"]),
        ("@people", ["pairing", "unblock", "irc:a"], ["cid"]),
        ("@people", ["pairing", "block", "irc:a"], ["ann", "cid"]),
        ("@keys", ["channels", "stop"], ["irc:a", "irc:b"]),
        ("@logs", ["logs"], ["irc:a", "irc:b", "supervisor", "gateway"]),
        ("@filter", ["status", "--filter"], [f"{field}=" for field in FILTER_FIELDS]),
        ("@letters", ["deadletters", "retry"], []),  # the gateway refuses: nothing is said
    ],
)
@pytest.mark.parametrize("secret", ["plain", "file", "env"])
async def test_ids_come_from_the_gateway_of_the_daemon(
    state: Path, secret: str, kind: str, words: list[str], found: list[str]
) -> None:
    (state / "token").write_text("secret\n")
    tokens = {
        "plain": "secret",
        "file": {"source": "file", "id": str(state / "token")},
        "env": {"source": "env", "id": "THE_TOKEN"},
    }
    async with fake_gateway(cron__list=JOBS, channels__pairing__list=PEOPLE) as gateway:
        access = {
            "url": gateway.url,
            "token": tokens[secret],
            "password": None,
            "certificate": None,
        }
        rows = status(account("irc:a"), account("irc:b"))
        async with fake_supervisor(state, supervisor__status=rows, gateway__access=access):
            done = await trunkline(state, "__keys", kind, "", *words, THE_TOKEN="secret")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == found


def test_a_filter_is_completed_part_by_part() -> None:
    assert list(filters("phase=failed,phase=b", [])) == [f"phase=failed,phase={p}" for p in PHASES]
    assert list(filters("held!=", [])) == ["held!=yes", "held!=no"]
    assert list(filters("nothing=", [])) == []


def test_it_knows_the_fields_and_phases_that_there_are() -> None:
    assert set(FILTER_FIELDS) == set(FILTERS)
    assert set(PHASES) == set(Phase)


def test_profiles_are_those_that_have_been_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for name in ("trunkline", "trunkline-work", "trunkline-home", "other"):
        (tmp_path / "state" / name).mkdir(parents=True)
    assert profiles() == ["dev", "home", "work"]


@pytest.mark.e2e
@pytest.mark.slow
async def test_a_real_gateway_answers(tmp_path: Path) -> None:
    config: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}}}}}
    async with Daemon(tmp_path, config) as daemon:
        await daemon.wait_phase("local:one", Phase.RUNNING)
        job = {
            "name": "job",
            "schedule": {"kind": "every", "everyMs": 3_600_000},
            "sessionTarget": "isolated",
            "wakeMode": "now",
            "payload": {"kind": "agentTurn", "message": "report"},
            "delivery": {"mode": "none"},
        }
        client = await daemon.client()
        try:
            made = await client.call("cron.add", job)
        finally:
            await client.close()
        code, out, err = await daemon.command("__keys", "@jobs", "", "cron", "run")
    assert (code, out.split(), err) == (0, [made["id"]], "")
