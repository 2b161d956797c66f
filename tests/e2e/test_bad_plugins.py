"""Plugins that fail in every way in the real daemon: each fails alone, with its reason."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.daemon import ECHO, FAST, Daemon
from tests.support.person import talking
from tests.support.until import PATIENCE
from tests.support.watching import Watcher, watching

pytestmark = pytest.mark.e2e

ONCE = FAST | {"initialSeconds": 600, "maximumSeconds": 600, "stopWithinSeconds": 0.5}
ATTENTIVE = {"beatSeconds": 0.1, "suspectAfterSeconds": 0.4, "silentAfterSeconds": 0.8}

# What an account does wrong: the phase in which it ends, the cause, words of the last error.
ENDINGS = {
    "return": ("backoff", "returned", "run returned"),
    "raise": ("backoff", "failed", "ValueError: the plugin is broken"),
    "callback": ("backoff", "failed", "ValueError: the plugin is broken"),
    "transient": ("backoff", "transient", "the platform is down"),
    "exit": ("backoff", "exited", "3"),
    "segfault": ("backoff", "killed", "signal 11"),
    "block": ("backoff", "unhealthy", "event loop blocked, idle"),
    "print": ("backoff", "unhealthy", "event loop blocked"),
    "fork": ("backoff", "failed", "ValueError"),
    "daemon": ("backoff", "failed", "ValueError"),
    "list": ("backoff", "failed", "emit takes Inbound and Happened, not list"),
    "huge": ("backoff", "failed", "ValueError"),
    "never-ready": ("backoff", "not_ready", "not ready within 1.5 s"),
    "needs-login": ("failed", "needs_login", "the token was revoked"),
    "misconfigured": ("failed", "misconfigured", "there is no such server"),
    "finished": ("stopped", "finished", "all is said"),
    "logged-out": ("stopped", "logged_out", "the session was ended elsewhere"),
}
OTHERS = {
    "faulty-import:one": ("backoff", "failed", "RuntimeError: this SDK is broken"),
    "faulty-exit:one": ("backoff", "exited", "3"),
    "faulty-extra:one": ("failed", "misconfigured", "pip install sdk-that-nobody-has"),
}


def with_faults(*faults: str, **channels: Any) -> dict[str, Any]:
    """A calm account beside one for each fault, each tried only once."""
    accounts: dict[str, Any] = {fault: {"fault": fault} for fault in faults}
    accounts.get("never-ready", {})["restart"] = {"readyWithinSeconds": 1.5}
    faulty = {"accounts": accounts}
    return ECHO | {
        "channels": {"local": {"accounts": {"calm": {}}}, "faulty": faulty, **channels},
        "supervisor": {"restart": ONCE, **ATTENTIVE},
    }


async def ended(daemon: Daemon, expected: dict[str, tuple[str, str, str]]) -> dict[str, Any]:
    """Return the rows once each account is in its phase; check the causes and the words."""
    status = await daemon.wait(
        lambda s: all(s["accounts"][key]["phase"] == phase for key, (phase, *_) in expected.items())
    )
    rows = dict(status["accounts"])
    for key, (_, cause, words) in expected.items():
        assert rows[key]["cause"] == cause, rows[key]
        told = await daemon.call("channels.describe", {"account": key})
        assert words in (told["why"] or ""), told["why"]
    return rows


async def left_behind(daemon: Daemon) -> list[psutil.Process]:
    """Return the processes that are neither ours nor those of a running account."""
    status = await daemon.status()
    known = {daemon.pid, status["gateway"]["pid"]}
    known |= {row["pid"] for row in status["accounts"].values()}
    return [
        one
        for one in daemon.family()
        if one.pid not in known and "runtime.zygote.server" not in " ".join(one.cmdline())
    ]


async def tell(watcher: Watcher, key: str, text: str) -> None:
    """Send a message through an account: it carries out what the text says."""
    channel, _, account = key.partition(":")
    params = {"channel": channel, "accountId": account, "to": "x", "idempotencyKey": text[:200]}
    await watcher.client.call("send", params | {"message": text})


async def test_each_faulty_plugin_fails_alone_with_its_cause(
    tmp_path: Path, faulty_path: str
) -> None:
    more: dict[str, Any] = {key.partition(":")[0]: {"accounts": {"one": {}}} for key in OTHERS}
    config = with_faults(*ENDINGS, **more)
    expected = {f"faulty:{fault}": how for fault, how in ENDINGS.items()} | OTHERS
    async with Daemon(tmp_path, config, PYTHONPATH=faulty_path) as daemon:
        before = await daemon.wait_phase("local:calm", "running")
        gateway = (await daemon.status())["gateway"]["pid"]
        async with talking(daemon, "calm") as person:
            await person.is_answered("during")
            rows = await ended(daemon, expected)
            await person.is_answered("after")
        assert rows["local:calm"]["incarnation"] == before["incarnation"]
        assert rows["local:calm"]["restarts"] == 0
        for key, (phase, *_) in expected.items():
            assert rows[key]["failures"] == (0 if phase == "stopped" else 1), rows[key]
            assert (rows[key]["nextTryAt"] is not None) == (phase == "backoff")
        status = await daemon.status()
        assert (status["gateway"]["pid"], status["gateway"]["outages"]) == (gateway, 0)
        async with asyncio.timeout(PATIENCE):
            while await left_behind(daemon):  # the grandchildren are swept in a moment
                pass
        code, out, _ = await daemon.command("channels", "describe", "faulty-import:one")
        assert code == 0
        assert "this SDK is broken" in out


async def test_a_plugin_that_will_not_stop_is_killed(tmp_path: Path, faulty_path: str) -> None:
    stubborn = ("ignore-term", "uncancellable", "block")
    config = with_faults(*stubborn, "none")
    config["supervisor"] |= {"suspectAfterSeconds": 60, "silentAfterSeconds": 60}
    async with Daemon(tmp_path, config, PYTHONPATH=faulty_path) as daemon:
        before = {}
        for fault in (*stubborn, "none"):
            before[fault] = await daemon.wait_phase(f"faulty:{fault}", "running")
        keys = [f"faulty:{fault}" for fault in stubborn]
        results = (await daemon.call("channels.stop", {"accounts": keys}))["results"]
        assert [(row["account"], row["stopped"]) for row in results] == [(k, True) for k in keys]
        assert not any(psutil.pid_exists(before[fault]["pid"]) for fault in stubborn)
        row = (await daemon.status())["accounts"]["faulty:none"]
        assert row["pid"] == before["none"]["pid"]


async def test_a_plugin_that_uses_up_its_files_or_memory_fails_alone(
    tmp_path: Path, faulty_path: str
) -> None:
    config = with_faults("none")
    config["channels"]["faulty"]["accounts"] |= {"files": {}, "memory": {}}
    async with Daemon(tmp_path, config, PYTHONPATH=faulty_path) as daemon:
        files = (await daemon.wait_phase("faulty:files", "running"))["pid"]
        memory = (await daemon.wait_phase("faulty:memory", "running"))["pid"]
        calm = await daemon.wait_phase("local:calm", "running")
        resource.prlimit(files, resource.RLIMIT_NOFILE, (200, 200))
        limit = psutil.Process(memory).memory_info().vms + 20 * 2**20
        resource.prlimit(memory, resource.RLIMIT_AS, (limit, limit))
        async with watching(daemon) as watcher, talking(daemon, "calm") as person:
            await tell(watcher, "faulty:files", "leak-files")
            await tell(watcher, "faulty:memory", "leak-memory")
            await person.is_answered("hello")
            rows = await ended(
                daemon,
                {
                    "faulty:files": ("backoff", "failed", "Too many open files"),
                    "faulty:memory": ("backoff", "failed", "MemoryError"),
                },
            )
            await person.is_answered("hello again")
        assert rows["local:calm"]["pid"] == calm["pid"]


async def test_a_flood_of_one_account_loses_no_message_of_another(
    tmp_path: Path, faulty_path: str
) -> None:
    async with Daemon(tmp_path, with_faults("none"), PYTHONPATH=faulty_path) as daemon:
        calm = await daemon.wait_phase("local:calm", "running")
        flooding = await daemon.wait_phase("faulty:none", "running")
        async with watching(daemon, caps=()) as watcher, talking(daemon, "calm") as person:
            await watcher.client.call("events.subscribe", {"accounts": ["local:calm"]})
            await tell(watcher, "faulty:none", "flood")
            await daemon.wait(lambda s: s["accounts"]["faulty:none"]["messagesIn"] > 1000)
            said = [f"line {number}" for number in range(50)]
            for line in said:
                await person.is_answered(line)
            await watcher.until(lambda: len(watcher.texts("local:calm")) >= len(said))
            assert watcher.texts("local:calm") == said
            stop = await daemon.call("channels.stop", {"accounts": ["faulty:none"]})
            assert stop["results"][0]["stopped"] is True
        rows = (await daemon.status())["accounts"]
        assert rows["local:calm"]["incarnation"] == calm["incarnation"]
        assert rows["faulty:none"]["incarnation"] == flooding["incarnation"]


async def test_a_restart_of_the_daemon_tries_failed_accounts_once(
    tmp_path: Path, faulty_path: str
) -> None:
    """A person may have mended it meanwhile; the failures are kept until health forgives them."""
    faults = ("misconfigured", "needs-login", "finished", "logged-out")
    expected = {f"faulty:{fault}": ENDINGS[fault] for fault in faults}
    async with Daemon(tmp_path, with_faults(*faults), PYTHONPATH=faulty_path) as daemon:
        first = await ended(daemon, expected)
        assert [first[key]["failures"] for key in expected] == [1, 1, 0, 0]
        daemon.end()
        await daemon.start()
        await daemon.wait(lambda s: all(s["accounts"][key]["startedAt"] for key in expected))
        again = await ended(daemon, expected)
        assert [again[key]["failures"] for key in expected] == [2, 2, 0, 0]
        assert all(again[key]["restarts"] == 0 for key in expected)
