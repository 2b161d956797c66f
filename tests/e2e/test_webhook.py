"""Webhooks under the real daemon: a peer that signs with somebody else's library, and faults."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.daemon import Daemon
from tests.support.until import PATIENCE
from tests.support.watching import Watcher, watching
from tests.workers.channels.webhook.peer import OTHER, SECRET, message, signed, verified

pytestmark = pytest.mark.e2e

KEY, CALM = "webhook:ci", "webhook:calm"


def configuration(ingress: dict[str, Any] | None = None, **account: Any) -> dict[str, Any]:
    common = {"ingress": True, "secret": SECRET, "agent": "none"}
    return {
        "channels": {"webhook": {"accounts": {"ci": common | account, "calm": common}}},
        "ingress": ingress or {},
        "supervisor": {"beatSeconds": 0.1},
    }


async def post(
    daemon: Daemon, body: bytes, id: str = "msg_1", key: str = KEY, **more: Any
) -> tuple[int, str, Any]:
    url = f"http://127.0.0.1:{daemon.port}/channels/{key.replace(':', '/')}/hook"
    headers = more.pop("headers", None) or signed(body, id, **more)
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


async def until_taken(daemon: Daemon, body: bytes, id: str = "msg_1") -> None:
    """Send a message again as platforms do, until it is taken."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                status, text, _ = await post(daemon, body, id)
            except (aiohttp.ClientError, OSError):
                status, text = 503, ""
            if status == 200:
                return
            assert status == 503, text
            await asyncio.sleep(0.05)


async def heard_once(watcher: Watcher, daemon: Daemon, text: str) -> None:
    """Check that a message came once, with another one behind it."""
    await until_taken(daemon, message("the last one"), "msg_last")
    await watcher.until(lambda: "the last one" in watcher.texts(KEY))
    assert watcher.texts(KEY).count(text) == 1


def pid_of(status: dict[str, Any], key: str = KEY) -> int:
    return int(status["accounts"][key]["pid"])


async def both_run(daemon: Daemon) -> dict[str, Any]:
    """Return the status once both accounts are running for the gateway too."""
    status = await daemon.wait(
        lambda status: all(status["accounts"][key]["phase"] == "running" for key in (KEY, CALM))
    )
    for key in (KEY, CALM):
        async with asyncio.timeout(PATIENCE):
            while (await post(daemon, b"{}", key=key))[0] != 400:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.01)
    return status


async def test_a_message_comes_in_and_its_answer_goes_out_signed(tmp_path: Path) -> None:
    got: asyncio.Queue[tuple[bytes, dict[str, str]]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        got.put_nowait((await request.read(), dict(request.headers)))
        return web.json_response({"id": "theirs"})

    app = web.Application()
    app.router.add_post("/in", take)
    async with TestServer(app) as server:
        url = f"http://127.0.0.1:{server.port}/in"
        config = configuration(agent="echo", url=url, allowPrivate=True)
        async with Daemon(tmp_path, config) as daemon:
            await both_run(daemon)
            body = message("hello", chat="ops", sender="ann")
            status, text, headers = await post(daemon, body)
            assert (status, json.loads(text)) == (200, {"ok": True, "ids": ["msg_1"]})
            assert headers["Content-Security-Policy"] == "sandbox"
            async with asyncio.timeout(PATIENCE):
                sent, signatures = await got.get()
            data = verified(sent, signatures)["data"]
            assert (data["to"], data["text"]) == ("ops", "echo: hello")
            kept = [each for each in (tmp_path / "state").rglob("*") if each.is_file()]
            assert not [each for each in kept if SECRET.encode() in each.read_bytes()]


async def test_refused_requests_get_their_status(tmp_path: Path) -> None:
    async with Daemon(tmp_path, configuration({"maxBytes": 500})) as daemon:
        await both_run(daemon)
        async with watching(daemon) as watcher:
            body = message("hello")
            status, text, _ = await post(daemon, body, secret=OTHER)
            assert (status, text.count("\n")) == (401, 1)
            assert (await post(daemon, b"{}"))[:2] == (
                400,
                "Object missing required field `text`\n",
            )
            assert (await post(daemon, message("x" * 600)))[0] == 413
            assert (await post(daemon, body, key="webhook:nobody"))[0] == 404
            code, _, error = await daemon.command("channels", "stop", KEY)
            assert code == 0, error
            await daemon.wait_phase(KEY, "stopped")
            status, _, headers = await post(daemon, body)
            assert (status, headers["Retry-After"]) == (503, "5")
            assert (await post(daemon, body, key=CALM))[0] == 200
            await watcher.heard(CALM)
            assert watcher.texts(KEY) == []


async def test_a_worker_killed_between_receipt_and_answer_costs_nothing(tmp_path: Path) -> None:
    """The message is stored, but its worker dies before it hears of that.

    For that the gateway stands still while the worker emits and dies, and the supervisor, which
    sees the death, until the gateway has read the message. Of beats there are few: a worker that
    has no answer of a gateway for three of them connects anew, and what it said is unread then.
    """
    beats = {"supervisor": {"beatSeconds": 2}}
    async with Daemon(tmp_path, configuration() | beats) as daemon:
        status = await both_run(daemon)
        worker, gateway = pid_of(status), int(status["gateway"]["pid"])
        async with watching(daemon) as watcher:
            os.kill(worker, signal.SIGSTOP)
            posting = asyncio.create_task(post(daemon, message("once")))
            await until_passed_on(daemon)
            os.kill(gateway, signal.SIGSTOP)
            try:
                os.kill(worker, signal.SIGCONT)
                await daemon.wait(lambda now: now["accounts"][KEY]["messagesIn"] == 1)
                await until_idle(worker)
                os.kill(daemon.pid, signal.SIGSTOP)
                os.kill(worker, signal.SIGKILL)
            finally:
                os.kill(gateway, signal.SIGCONT)
            try:
                assert await watcher.heard(KEY) == ["once"]
                assert not posting.done()
            finally:
                os.kill(daemon.pid, signal.SIGCONT)
            answer, _, headers = await posting
            assert (answer, headers["Retry-After"]) == (503, "1")
            await until_taken(daemon, message("once"))
            await heard_once(watcher, daemon, "once")


async def test_a_killed_gateway_loses_and_repeats_nothing(tmp_path: Path) -> None:
    async with Daemon(tmp_path, configuration()) as daemon:
        status = await both_run(daemon)
        worker, gateway = pid_of(status), int(status["gateway"]["pid"])
        os.kill(worker, signal.SIGSTOP)
        try:
            posting = asyncio.create_task(post(daemon, message("once")))
            await until_passed_on(daemon)
            os.kill(gateway, signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await posting
        finally:
            os.kill(worker, signal.SIGCONT)
        await daemon.wait(
            lambda now: now["gateway"]["connected"] and now["gateway"]["pid"] != gateway
        )
        async with watching(daemon) as watcher:
            await until_taken(daemon, message("once"))
            await until_taken(daemon, message("once"))
            await until_taken(daemon, message("the last one"), "msg_last")
            await watcher.until(lambda: "the last one" in watcher.texts(KEY))
            assert watcher.texts(KEY).count("once") <= 1  # 0: stored before this client came
        repeated = await daemon.wait(
            lambda now: now["accounts"][KEY]["dropped"].get("repeated", 0) >= 1
        )
        assert repeated["accounts"][KEY]["dropped"]["repeated"] <= 2


async def test_an_account_that_hangs_is_answered_for_and_delays_no_other(tmp_path: Path) -> None:
    async with Daemon(tmp_path, configuration({"withinSeconds": 0.5})) as daemon:
        worker = pid_of(await both_run(daemon))
        os.kill(worker, signal.SIGSTOP)
        try:
            hanging = [
                asyncio.create_task(post(daemon, message(), f"msg_{number}")) for number in range(3)
            ]
            calm = [(await post(daemon, message(), f"msg_{n}", CALM))[0] for n in range(20)]
            assert calm == [200] * 20
            assert [each[0] for each in await asyncio.gather(*hanging)] == [504] * 3
        finally:
            os.kill(worker, signal.SIGCONT)


async def until_passed_on(daemon: Daemon) -> None:
    """Wait until the gateway has passed a request on.

    It counts a request from its head on, when the worker has nothing of it yet: a gateway that is
    stopped then never passes it on. One that comes afterwards and is answered by another worker
    has gone the same way behind it.
    """
    async with asyncio.timeout(PATIENCE):
        while await in_flight(daemon) == 0:  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.01)
    assert (await post(daemon, b"{}", key=CALM))[0] == 400


async def until_idle(pid: int) -> None:
    """Wait until no thread of a process has anything to do: what it has said has left it.

    A beat tells of a message before the message itself has gone to the gateway.
    """
    async with asyncio.timeout(PATIENCE):
        while states_of_threads(pid) != {"S"}:  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.001)


def states_of_threads(pid: int) -> set[str]:
    """Return the states of the threads of a process, ``S`` for one that sleeps (proc(5))."""
    stats = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/stat")]
    return {each.rpartition(") ")[2][0] for each in stats}


async def in_flight(daemon: Daemon) -> int:
    """Return how many requests the gateway has passed on, by its metrics."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{daemon.port}/metrics") as answer,
    ):
        for line in (await answer.text()).splitlines():
            if line.startswith("trunkline_ingress_in_flight "):
                return int(float(line.split()[1]))
    raise AssertionError("no such series")


async def test_the_commands_of_the_documentation_send_a_message_and_a_file(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs/webhook.md"
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    (script,) = [block for block in blocks if "send() {" in block]
    report = os.urandom(3 << 20)
    (tmp_path / "report.pdf").write_bytes(report)
    async with Daemon(tmp_path, configuration({"maxBytes": 4 << 20})) as daemon:
        await both_run(daemon)
        hook = f"http://127.0.0.1:{daemon.port}/channels/webhook/ci/hook"
        async with watching(daemon) as watcher:
            shell = await asyncio.create_subprocess_exec(
                "sh",
                "-euc",
                script,
                cwd=tmp_path,
                env=os.environ | {"SECRET": SECRET, "HOOK": hook},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await shell.communicate()
            assert (shell.returncode, output.count(b'{"ok":true')) == (0, 2), output
            await watcher.until(lambda: "the report" in watcher.texts(KEY))
            assert watcher.texts(KEY) == ["build 7 failed", "the report"]
        files = [each for each in (tmp_path / "state/media" / KEY).iterdir() if not each.suffix]
        assert [each.read_bytes() == report for each in files] == [True]
