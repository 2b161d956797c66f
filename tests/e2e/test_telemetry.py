"""Traces of messages under the real daemon, at a real OTLP/HTTP receiver, with faults."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from ipc.errors import RemoteError
from tests.support.collector import Collector, collecting
from tests.support.daemon import TOKEN, Daemon
from tests.support.person import talking
from tests.support.restarts import kill_gateway
from tests.support.until import PATIENCE
from tests.workers.channels.webhook.peer import SECRET, message, signed
from workers.testing.ports import free_port

pytestmark = pytest.mark.e2e

SAID = "the secret of the cellar"
CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def configured(endpoint: str | None, **telemetry: Any) -> dict[str, Any]:
    gateway: dict[str, Any] = {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}}
    if endpoint is not None:
        gateway["telemetry"] = {"enabled": True, "endpoint": endpoint, **telemetry}
    return {
        "agents": {"default": "main", "entries": {"main": {"kind": "echo"}}},
        "supervisor": {"restart": {"initialSeconds": 0.2}},
        "gateway": gateway,
        "hooks": {"enabled": True, "token": "hook-token-0123456789"},
        "channels": {
            "local": {"accounts": {"a": {}}},
            "webhook": {"accounts": {"ci": {"ingress": True, "secret": SECRET}}},
        },
    }


async def ready(daemon: Daemon) -> dict[str, Any]:
    await daemon.wait_phase("local:a", "running")
    return await daemon.wait(lambda found: found["agents"][0]["phase"] == "running")


def exporters(daemon: Daemon) -> list[psutil.Process]:
    """Return the exporters of a daemon."""
    return [each for each in daemon.family() if "telemetry.exporter" in " ".join(each.cmdline())]


async def exporter(daemon: Daemon) -> psutil.Process:
    """Return the exporter once it runs."""
    async with asyncio.timeout(PATIENCE):
        while not (found := exporters(daemon)):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.05)
    return found[0]


async def warnings(daemon: Daemon, *, some: bool) -> list[str]:
    """Return the warnings about traces once there are some, or none."""

    def found(status: dict[str, Any]) -> list[str]:
        return [each for each in status["supervisor"]["warnings"] if "telemetry" in each]

    return found(await daemon.wait(lambda status: bool(found(status)) is some))


async def counted(daemon: Daemon) -> dict[str, float]:
    """Return the counts of traces by outcome."""
    url = f"http://127.0.0.1:{daemon.port}/metrics"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        lines = (await answer.text()).splitlines()
    found = [each for each in lines if each.startswith("trunkline_traces_total{")]
    return {each.split('"')[1]: float(each.rsplit(" ", 1)[1]) for each in found}


async def until_counted(daemon: Daemon, outcome: str, count: int) -> None:
    """Wait until so many traces have ended in a way: that is told after it has happened."""
    async with asyncio.timeout(PATIENCE):
        while (await counted(daemon))[outcome] != count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def test_one_message_is_one_trace_from_its_arrival_to_its_delivery(tmp_path: Path) -> None:
    began = time.time_ns()
    async with collecting() as collector:
        headers = {"X-Team": "night", "Authorization": {"source": "env", "id": "COLLECTOR_KEY"}}
        config = configured(collector.url, headers=headers, serviceName="bots")
        async with Daemon(tmp_path, config, COLLECTOR_KEY="Bearer k-1") as daemon:
            await ready(daemon)
            async with talking(daemon, "a") as person:
                await person.is_answered(SAID)
            await collector.until(1, "delivery attempt")
            assert len({each.trace for each in collector.spans}) == 1
            names = sorted(each.name for each in collector.spans)
            assert names == [
                *("admission", "agent", "agent queue", "agent turn"),
                *("delivery", "delivery attempt", "message"),
            ]
            (root,) = collector.of("message")
            assert (root.parent, root.service, root.failed) == ("", "bots", False)
            assert root.attributes["trunkline.account"] == "local:a"
            assert root.attributes["trunkline.state"] == "final"
            one = {each.name: each for each in collector.spans}
            for name, parent in (
                *((each, "message") for each in ("admission", "agent", "delivery")),
                *((each, "agent") for each in ("agent queue", "agent turn")),
                ("delivery attempt", "delivery"),
            ):
                assert one[name].parent == one[parent].id
                assert began - 1e9 < one[parent].start <= one[name].start <= one[name].end
                assert one[name].end <= one[parent].end <= time.time_ns()
            assert one["delivery"].attributes["trunkline.delivery.state"] == "sent"
            assert collector.headers[0]["x-team"] == "night"
            assert collector.headers[0]["authorization"] == "Bearer k-1"
            assert not any(SAID.encode() in body for body in collector.bodies)
            await until_counted(daemon, "exported", 1)
            environment = (await exporter(daemon)).environ()
            assert "COLLECTOR_KEY" not in environment
            shown = await daemon.call("config.get")
            assert "k-1" not in json.dumps(shown)


async def test_what_a_client_sends_is_a_trace_that_does_not_show_its_key(tmp_path: Path) -> None:
    async with collecting() as collector:
        config = configured(collector.url)
        config["channels"]["local"]["accounts"]["a"] = {"journal": "on"}
        async with Daemon(tmp_path, config) as daemon:
            await ready(daemon)
            client = await daemon.client()
            asks = {"channel": "local", "accountId": "a", "to": "ada", "message": SAID}
            with pytest.raises(RemoteError, match="ada is not connected"):
                await client.call("send", {**asks, "idempotencyKey": "key-of-ada"})
            await collector.until(1, "delivery attempt")
            await client.close()
        (root,) = collector.of("send")
        (attempt,) = collector.of("delivery attempt")
        assert (root.parent, attempt.parent, root.failed) == ("", root.id, True)
        assert root.attributes["trunkline.account"] == "local:a"
        assert root.attributes["trunkline.delivery.state"] == "failed"
        private = (b"key-of-ada", b"ada is not", SAID.encode())
        assert not any(each in body for body in collector.bodies for each in private)


async def test_a_client_that_brings_a_trace_context_finds_the_message_in_its_trace(
    tmp_path: Path,
) -> None:
    async with collecting() as collector, Daemon(tmp_path, configured(collector.url)) as daemon:
        await ready(daemon)
        await daemon.wait_phase("webhook:ci", "running")
        base = f"http://127.0.0.1:{daemon.port}"
        asks = {"model": "openclaw", "messages": [{"role": "user", "content": SAID}]}
        given = {"Authorization": f"Bearer {TOKEN}"}
        hook = {"Authorization": "Bearer hook-token-0123456789"}
        body = message(SAID)
        for path, headers, data in (
            ("/v1/chat/completions", given, json.dumps(asks).encode()),
            ("/hooks/agent", hook, json.dumps({"message": SAID}).encode()),
            ("/channels/webhook/ci/hook", signed(body, "msg_1"), body),
        ):
            before = len(collector.of("agent"))
            kind = {"Content-Type": "application/json"}
            for context in (UNSAMPLED, CLIENT):
                if path.startswith("/channels") and context is UNSAMPLED:
                    continue
                together = kind | headers | {"traceparent": context}
                assert await posted(base + path, together, data) == 200
            found = (await collector.until(before + 1, "agent"))[-1]
            (root,) = [each for each in collector.spans if each.id == found.parent]
            assert (root.trace, root.parent) == (CLIENT[3:35], CLIENT[36:52]), path
        assert {each.trace for each in collector.spans} == {CLIENT[3:35]}
        await until_counted(daemon, "unsampled", 2)


async def posted(url: str, headers: dict[str, str], data: bytes) -> int:
    """Return the status of a request, once the account can take it."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        while True:
            async with session.post(url, headers=headers, data=data) as answer:
                if answer.status != 503:
                    return answer.status
            await asyncio.sleep(0.05)


async def test_a_gateway_that_is_killed_between_leaves_one_trace_of_each_message(
    tmp_path: Path,
) -> None:
    async with collecting() as collector:
        collector.refuses = 503
        async with Daemon(tmp_path, configured(collector.url)) as daemon:
            await ready(daemon)
            first = await exporter(daemon)
            async with talking(daemon, "a") as person:
                await person.is_answered("one")
                await collector.until_asked(1)  # it is on its way, and not taken
                await kill_gateway(daemon)
                await person.is_answered("two")
                os.kill((await exporter(daemon)).pid, signal.SIGKILL)
                await person.is_answered("three")
            assert not first.is_running()
            collector.refuses = None
            await collector.until(3, "message")
            await collector.until(3, "delivery")
            runs = {
                each.attributes["trunkline.run"]: each.trace for each in collector.of("message")
            }
            assert len(runs) == len(set(runs.values())) == 3
            assert len({each.id for each in collector.spans}) == len(collector.spans)


async def hangs(collector: Collector) -> str:
    collector.hangs = True
    return collector.url


async def is_away(collector: Collector) -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize("fault", [hangs, is_away])
async def test_a_collector_that_accepts_nothing_affects_no_message(
    tmp_path: Path, fault: Any
) -> None:
    async with collecting() as collector:
        endpoint = await fault(collector)
        async with Daemon(tmp_path, configured(endpoint)) as daemon:
            pids = {key: row["pid"] for key, row in (await ready(daemon))["accounts"].items()}
            async with talking(daemon, "a") as person:
                for number in range(20):
                    await person.is_answered(str(number))
                (warning,) = await warnings(daemon, some=True)
                assert warning.startswith("gateway.telemetry: traces are not exported: ")
                for number in range(20):
                    await person.is_answered(str(number))
            status = await daemon.status()
            assert {key: row["pid"] for key, row in status["accounts"].items()} == pids
            assert all(row["restarts"] == 0 for row in status["accounts"].values())
            assert (await counted(daemon))["exported"] == 0
            if collector.hangs:
                collector.hangs = False
                collector.end()
                await collector.until(40, "message")
                assert await warnings(daemon, some=False) == []


async def test_without_its_extra_one_sentence_names_the_command(tmp_path: Path) -> None:
    lacking = tmp_path / "lacking" / "opentelemetry"
    lacking.mkdir(parents=True)
    (lacking / "__init__.py").write_text("raise ModuleNotFoundError('no opentelemetry here')\n")
    path = {"PYTHONPATH": str(lacking.parent)}
    async with Daemon(tmp_path, configured("http://127.0.0.1:9"), **path) as daemon:
        (warning,) = await warnings(daemon, some=True)
        assert "trunkline[otel] (no opentelemetry here); install: " in warning
        assert warning.endswith("-m pip install 'trunkline[otel]'")
        async with talking(daemon, "a") as person:
            await person.is_answered("hello")


async def test_an_exporter_is_there_only_where_traces_are_on(tmp_path: Path) -> None:
    async with Daemon(tmp_path, configured(None)) as daemon:
        await ready(daemon)
        async with talking(daemon, "a") as person:
            await person.is_answered("hello")
        for process in daemon.family():
            assert "telemetry" not in " ".join(process.cmdline())
            if os.geteuid() == 0:  # to its own user a process hides what it has loaded
                assert not any("google/_upb" in each.path for each in process.memory_maps())
        assert set((await counted(daemon)).values()) == {0}
