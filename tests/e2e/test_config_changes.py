"""The configuration file changes while the daemon runs: only what changed is touched."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipc.helpers import RUN_ID
from tests.support.daemon import Daemon
from tests.support.ordinary_user import may_look_into
from workers.testing.ports import free_port

pytestmark = pytest.mark.e2e


def config(*accounts: str, **gateway: Any) -> dict[str, Any]:
    gateway.setdefault("reload", {"debounceMs": 50})
    named: dict[str, Any] = {name: {} for name in accounts}
    return {"gateway": gateway, "channels": {"local": {"accounts": named}}}


def all_up(status: dict[str, Any], *keys: str) -> bool:
    rows = status["accounts"]
    return set(rows) == set(keys) and all(row["phase"] == "running" for row in rows.values())


def pids(status: dict[str, Any]) -> dict[str, int]:
    return {key: row["pid"] for key, row in status["accounts"].items()}


async def test_only_what_changed_is_touched(tmp_path: Path) -> None:
    what = config("one", "two")
    async with Daemon(tmp_path, what) as daemon:
        status = await daemon.wait(lambda s: all_up(s, "local:one", "local:two"))
        before, gateway = pids(status), status["gateway"]["pid"]
        what["channels"]["local"]["accounts"] = {"one": {"greeting": "hi"}, "two": {}, "three": {}}
        daemon.write(what)
        status = await daemon.wait(
            lambda s: (
                all_up(s, "local:one", "local:two", "local:three")
                and s["accounts"]["local:one"]["pid"] != before["local:one"]
            )
        )
        assert status["accounts"]["local:two"]["pid"] == before["local:two"]
        assert status["gateway"]["pid"] == gateway
        del what["channels"]["local"]["accounts"]["three"]
        what["supervisor"] = {"restart": {"initialSeconds": 7.0}}  # no reason for a restart
        daemon.write(what)
        status = await daemon.wait(lambda s: all_up(s, "local:one", "local:two"))
        assert status["accounts"]["local:two"]["pid"] == before["local:two"]


async def test_a_change_counts_only_once_a_process_has_read_it(tmp_path: Path) -> None:
    what = config("one", "two", reload={"debounceMs": 0})
    async with Daemon(tmp_path, what) as daemon:
        status = await daemon.wait(lambda s: all_up(s, "local:one", "local:two"))
        first = status["supervisor"]["configRevision"]
        for number in range(5):  # each comes at another moment of the restart before it
            what["channels"]["local"]["accounts"]["one"] = {"greeting": f"hello {number}"}
            daemon.write(what)
            os.kill(daemon.pid, signal.SIGHUP)
            await asyncio.sleep(0.02 * number)
        last = hashlib.sha256(daemon.config_path.read_bytes()).hexdigest()[:16]
        status = await daemon.wait(
            lambda s: (
                s["supervisor"]["configRevision"] == last
                and all_up(s, "local:one", "local:two")
                and s["accounts"]["local:one"]["revision"] == last
            )
        )
        assert status["accounts"]["local:two"]["revision"] == first
        assert set(status["accounts"]["local:one"]["restartReasons"]) == {"configuration"}
        code, out, said = await daemon.command("channels", "describe", "local:two")
        assert code == 0, said
        assert f"revision {first} (now {last})" in out
        client = await daemon.client()
        told = (await client.call("status"))["accounts"]
        applied = (await client.call("config.get"))["appliedConfigHash"]
        sealed = {row["account"]: row["revision"] for row in told}
        assert sealed["local:one"] == applied
        assert not {first, last} & set(sealed.values())
        await client.close()


async def test_thresholds_and_logging_apply_at_once_without_restarts(tmp_path: Path) -> None:
    what = config("one", "two", reload={"debounceMs": 0})
    what["logging"] = {"level": "error"}
    async with Daemon(tmp_path, what) as daemon:
        before = pids(await daemon.wait(lambda s: all_up(s, "local:one", "local:two")))
        what["supervisor"] = {
            "beatSeconds": 0.2,
            "suspectAfterSeconds": 2.0,
            "silentAfterSeconds": 4.0,
        }
        what["logging"] = {"level": "info"}
        daemon.write(what)
        status = await daemon.wait(
            lambda s: s["supervisor"]["configRevision"] != s["accounts"]["local:one"]["revision"]
        )
        assert status["supervisor"]["warnings"] == []
        assert pids(status) == before
        os.kill(before["local:one"], signal.SIGSTOP)  # by default nobody would notice for 30 s
        began = asyncio.get_running_loop().time()
        status = await daemon.wait(
            lambda s: s["accounts"]["local:one"]["pid"] != before["local:one"]
        )
        assert asyncio.get_running_loop().time() - began < 25.0
        assert "process is stopped (SIGSTOP)" in status["accounts"]["local:one"]["lastError"]
        assert pids(status)["local:two"] == before["local:two"]
        said = (tmp_path / "state" / "logs" / "supervisor.log").read_text()
        assert '"event": "configuration"' in said  # the level was error before


async def test_an_invalid_file_is_reported_and_changes_nothing(tmp_path: Path) -> None:
    async with Daemon(tmp_path, config("one")) as daemon:
        status = await daemon.wait(lambda s: all_up(s, "local:one"))
        before, revision = pids(status), status["supervisor"]["configRevision"]
        good = daemon.config_path.read_text()
        daemon.config_path.write_text('{"gateway": {"prot": 1}}')
        status = await daemon.wait(lambda s: "not taken over" in str(s["supervisor"]["warnings"]))
        assert "gateway.prot" in str(status["supervisor"]["warnings"])
        assert pids(status) == before
        assert status["supervisor"]["configRevision"] == revision
        text = json.loads(good)
        text["gateway"]["auth"] = {"token": {"source": "env", "id": "NO_SUCH"}}
        daemon.config_path.write_text(json.dumps(text))  # right, but nobody could come in then
        status = await daemon.wait(lambda s: "NO_SUCH" in str(s["supervisor"]["warnings"]))
        assert (pids(status), status["gateway"]["phase"]) == (before, "running")
        os.kill(daemon.pid, signal.SIGHUP)  # asked for, it says the same
        fresh = daemon.config_path.with_name("new")
        fresh.write_text(good)
        fresh.chmod(0o600)
        fresh.replace(daemon.config_path)  # as editors do
        await daemon.wait(lambda s: not s["supervisor"]["warnings"])


@pytest.mark.parametrize("mode", ["hybrid", "hot", "reload", "restart", "off"])
async def test_the_reload_mode_decides_whether_the_gateway_is_replaced(
    tmp_path: Path, mode: str
) -> None:
    reload = {"mode": mode, "debounceMs": 0}
    async with Daemon(tmp_path, config("one", reload=reload)) as daemon:
        status = await daemon.wait(lambda s: all_up(s, "local:one"))
        pid, revision = status["gateway"]["pid"], status["supervisor"]["configRevision"]
        daemon.write(config("one", reload=reload, limits={"maxClients": 77}))
        if mode == "off":
            answer = await daemon.call("config.reload")
            assert (answer["gateway"], answer["warnings"]) == ("restarted", [])
        status = await daemon.wait(lambda s: s["supervisor"]["configRevision"] != revision)
        if mode in ("hot", "reload"):
            assert "waits for `trunkline gateway restart`" in str(status["supervisor"]["warnings"])
            assert status["gateway"]["pid"] == pid
            assert (await daemon.call("gateway.restart"))["ok"]
        status = await daemon.wait(
            lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != pid
        )
        assert status["gateway"]["revision"] == status["supervisor"]["configRevision"]
        assert not status["supervisor"]["warnings"]
        assert status["gateway"]["outages"] == 0


async def test_without_a_change_only_restart_and_off_replace_the_gateway(tmp_path: Path) -> None:
    async with Daemon(tmp_path, config("one")) as daemon:
        assert (await daemon.call("config.reload"))["gateway"] == "unchanged"


async def test_the_gateway_moves_to_another_port_unless_that_is_taken(tmp_path: Path) -> None:
    async with Daemon(tmp_path, config("one")) as daemon:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            daemon.write(config("one", port=taken.getsockname()[1]))
            status = await daemon.wait(lambda s: s["supervisor"]["warnings"])
            assert "stays where it is" in str(status["supervisor"]["warnings"])
            assert status["gateway"]["port"] == daemon.port
            assert status["gateway"]["connected"]
        daemon.port = free_port()
        daemon.write(config("one"))
        await daemon.wait(
            lambda s: s["gateway"]["connected"] and s["gateway"]["port"] == daemon.port
        )
        await (await daemon.client()).close()


async def test_restarts_of_a_person_are_folded_and_none_is_refused(tmp_path: Path) -> None:
    async with Daemon(tmp_path, config("one")) as daemon:
        first = (await daemon.status())["gateway"]["incarnation"]
        answers = await asyncio.gather(*(daemon.call("gateway.restart") for _ in range(5)))
        assert all(answer["ok"] for answer in answers)
        assert {answer["outcome"] for answer in answers} <= {"restarted", "joined", "deferred"}
        again = await daemon.call("gateway.restart")
        assert (again["ok"], again["outcome"]) == (True, "deferred")
        os.kill(daemon.pid, signal.SIGUSR1)
        status = await daemon.wait(lambda s: s["gateway"]["incarnation"] > first + 2)
        assert status["gateway"]["incarnation"] <= first + 4


async def test_systemd_is_notified_of_each_state(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0trunkline-test-{os.getpid()}")
        manager.settimeout(30)
        env = {"NOTIFY_SOCKET": f"@trunkline-test-{os.getpid()}", "WATCHDOG_USEC": "2000000"}
        said: list[str] = []

        def until(wanted: str) -> None:
            while not any(wanted in text for text in said):
                said.append(manager.recv(4096).decode())

        async with Daemon(tmp_path, config("one"), **env) as daemon:
            await asyncio.to_thread(until, "READY=1")
            assert f"MAINPID={daemon.pid}" in said[-1]
            await asyncio.to_thread(until, "accounts: 1 running")
            shown = [p for p in daemon.family()[:-1] if may_look_into(p.pid)]
            assert not any("NOTIFY_SOCKET" in p.environ() for p in shown)
            said.clear()
            await asyncio.to_thread(until, "WATCHDOG=1")
            daemon.write(config("one", "two"))
            await asyncio.to_thread(until, "RELOADING=1")
            await asyncio.to_thread(until, "READY=1")
            await asyncio.to_thread(until, "accounts: 2 running")
        await asyncio.to_thread(until, "STOPPING=1")


async def test_processes_of_a_killed_supervisor_are_ended_by_the_next_one(tmp_path: Path) -> None:
    async with Daemon(tmp_path, config("one")) as daemon:
        worker = psutil.Process((await daemon.wait_phase("local:one", "running"))["pid"])
        run_id = worker.cmdline()[-1].removeprefix(f"{RUN_ID}=")
        daemon.kill()
        # What a worker had started and what does not end with it: a grandchild of its own session.
        env = {**os.environ, RUN_ID: run_id}
        left = await asyncio.create_subprocess_exec("sleep", "300", env=env, start_new_session=True)
        other = await asyncio.create_subprocess_exec("sleep", "300", start_new_session=True)
        await daemon.start()
        assert await left.wait() == -signal.SIGTERM
        assert other.returncode is None
        assert f"pid {left.pid} (sleep 300)" in daemon.output.read_text()
        other.kill()
        await other.wait()


async def test_metrics_are_available_with_and_without_a_gateway(tmp_path: Path) -> None:
    async with Daemon(tmp_path, config("one")) as daemon:
        await daemon.wait(lambda s: all_up(s, "local:one"))
        os.kill((await daemon.status())["gateway"]["pid"], signal.SIGKILL)
        await daemon.wait(lambda s: s["gateway"]["outages"] == 1 and s["gateway"]["connected"])
        code, out, said = await daemon.command("metrics")
        assert code == 0, said
        assert "trunkline_clients " in out, "not the gateway's own"
        assert "trunkline_gateway_outages_total 1.0" in out
        assert 'trunkline_account_up{account="local:one"} 1.0' in out
        never = 'trunkline_account_restarts_total{account="local:one",reason="killed"} 0'
        assert never in out
        os.kill((await daemon.status())["accounts"]["local:one"]["pid"], signal.SIGKILL)
        await daemon.wait(lambda s: s["accounts"]["local:one"]["restarts"] == 1)
        await daemon.call("gateway.stop")
        code, out, said = await daemon.command("metrics")
        assert code == 0, said
        assert "trunkline_clients " not in out
        assert "trunkline_gateway_up 0" in out
        assert 'trunkline_account_restarts_total{account="local:one",reason="killed"} 1' in out
        assert "trunkline_gateway_outages_total 1" in out
        assert "trunkline_gateway_reconnects_total 1" in out
        assert 'trunkline_account_up{account="local:one"} ' in out
