"""Accounts that a person logs in, under the real daemon, with the command line and its faults."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from ipc.errors import RemoteError
from tests.support import faulty
from tests.support.daemon import Daemon

pytestmark = pytest.mark.e2e

CHANNEL = "faulty-login"
PASSWORD, STATE = "sesame-7", "state-of-this-login"


def daemon_of(tmp_path: Path, **accounts: dict[str, Any]) -> Daemon:
    site = tmp_path / "site"
    site.mkdir()
    config = {"channels": {CHANNEL: {"accounts": accounts}}}
    return Daemon(tmp_path, config, PYTHONPATH=str(faulty.install(site)))


def key(name: str) -> str:
    return f"{CHANNEL}:{name}"


async def asked(daemon: Daemon, name: str, other_than: str | None = None) -> dict[str, Any]:
    """Wait until the account asks something, and return what operators see of it."""

    def has(status: dict[str, Any]) -> bool:
        row = status["accounts"].get(key(name), {})
        return bool(row.get("login")) and row["login"]["prompt"] != other_than

    await daemon.wait(has)
    return dict(await daemon.call("channels.login", {"account": key(name)}))


async def answer(daemon: Daemon, name: str, prompt: str, text: str) -> Any:
    params = {"account": key(name), "prompt": prompt, "text": text}
    return await daemon.call("channels.login.answer", params)


def scan(daemon: Daemon, name: str) -> None:
    """Do as the phone does."""
    (Path(daemon.env["TRUNKLINE_STATE_DIR"]) / "accounts" / key(name) / "scanned").touch()


async def test_s127_an_account_is_logged_in_by_each_kind_of_prompt(tmp_path: Path) -> None:
    accounts: dict[str, Any] = {kind: {"kinds": [kind]} for kind in ("qr", "code", "ask", "open")}
    accounts["qr"]["renew"] = 3.0
    async with daemon_of(tmp_path, **accounts) as daemon:
        client = await daemon.client()
        # A QR code is renewed, and the time for the login goes on.
        first = await asked(daemon, "qr")
        assert first["prompt"]["text"].startswith("2@code-")
        second = await asked(daemon, "qr", other_than=first["prompt"]["id"])
        assert second["endsInMs"] < first["endsInMs"]
        shown = await client.call("web.login.start", {"accountId": "qr"})
        assert shown["qrDataUrl"].startswith("data:image/png;base64,")
        status = await client.call("channels.status", {})
        (issue,) = [i for i in status["statusIssues"] if i["accountId"] == "qr"]
        assert issue["fix"] == f"log it in: `trunkline channels login {key('qr')}`"
        send = {"channel": CHANNEL, "accountId": "qr", "to": "a", "message": "b"}
        with pytest.raises(RemoteError) as refused:
            await client.call("send", send | {"idempotencyKey": "1"})
        assert refused.value.code == "NOT_LINKED"
        scan(daemon, "qr")
        wait = {"accountId": "qr", "currentQrDataUrl": shown["qrDataUrl"]}
        while not (linked := await client.call("web.login.wait", wait))["connected"]:
            wait["currentQrDataUrl"] = linked["qrDataUrl"]
        # A code.
        code = await asked(daemon, "code")
        assert (code["prompt"]["text"], code["prompt"]["kind"]) == ("ABCD-1234", "code")
        scan(daemon, "code")
        # Questions, by the command line; the first password is wrong.
        typed = f"ann\nwrong-one\n{PASSWORD}\n"
        done, out, _ = await daemon.command("channels", "login", key("ask"), "--json", stdin=typed)
        views = [json.loads(line) for line in out.splitlines()]
        texts = [view["prompt"]["text"] for view in views if "prompt" in view]
        assert texts[-2:] == ["Password:", "Wrong. Password:"]
        assert (done, views[-1]["state"]) == (0, "linked")
        # A page, whose address a person brings back.
        page = await asked(daemon, "open")
        with pytest.raises(RemoteError, match="another state"):
            await answer(daemon, "open", page["prompt"]["id"], "https://b/?code=1&state=other")
        back = f"https://b/?code=code-of-page&state={STATE}"
        assert (await answer(daemon, "open", page["prompt"]["id"], back))["ok"]
        for name in accounts:
            await daemon.wait_phase(key(name), "running")
        # What was brought is kept for the owner alone, and asked for once.
        before = (await daemon.status())["accounts"][key("ask")]["incarnation"]
        await daemon.call("channels.restart", {"accounts": [key("ask")]})
        status = await daemon.wait(lambda s: s["accounts"][key("ask")]["incarnation"] > before)
        assert (await daemon.wait_phase(key("ask"), "running"))["failures"] == 0
        events = [e async for e in _so_far(client)]
        # the first question may have been asked before this client was there
        states = [e["state"] for e in events if e["account"] == key("ask")]
        assert "asked" in states
        assert states[-1] in ("over", "linked")
        await client.close()
        # On request the login ends, and what was kept of it goes.
        done, out, err = await daemon.command("channels", "logout", key("ask"))
        assert (done, out) == (0, f"{key('ask')} is logged out\n"), err
        assert (await daemon.wait_phase(key("ask"), "stopped"))["cause"] == "logged_out"
        await _holds_no_secret(daemon, tmp_path, events)


async def _so_far(client: Any) -> Any:
    """Yield the payloads of the events ``channel.login`` that have come."""
    stream = client.events()
    while True:
        try:
            async with asyncio.timeout(0.2):
                event = await anext(stream)
        except (TimeoutError, StopAsyncIteration):
            return
        if event.event == "channel.login":
            yield msgspec.json.decode(event.payload)


async def _holds_no_secret(daemon: Daemon, tmp_path: Path, events: list[Any]) -> None:
    """Assert that what was shown and answered stands in no log, status or event."""
    status = json.dumps(await daemon.status()) + json.dumps(events)
    logs = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.log*"))
    assert "logged in" in logs
    for secret in (
        PASSWORD,
        "wrong-one",
        "code-of-page",
        "session-token-1",
        "2@code-",
        "ABCD-1234",
    ):
        assert secret not in status, secret
        assert secret not in logs + daemon.output.read_text(), secret
    for path in (tmp_path / "state" / "accounts").rglob("credentials.json"):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_s129_a_login_that_is_waited_for_comes_again_after_any_of_them_was_killed(
    tmp_path: Path,
) -> None:
    async with daemon_of(tmp_path, one={"kinds": ["ask"]}) as daemon:
        first = await asked(daemon, "one")
        status = await daemon.status()
        # The gateway: the prompt stands, and can be answered through the next one.
        gateway = status["gateway"]["pid"]
        os.kill(gateway, signal.SIGKILL)
        await daemon.wait(lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != gateway)
        client = await daemon.client()
        view = await client.call("channels.login", {"account": key("one")})
        assert view["prompt"]["id"] == first["prompt"]["id"]
        await client.close()
        # The worker: the next one asks anew, and what was asked before is asked no more.
        os.kill(status["accounts"][key("one")]["pid"], signal.SIGKILL)
        second = await asked(daemon, "one", other_than=first["prompt"]["id"])
        with pytest.raises(RemoteError, match="no longer asks this"):
            await answer(daemon, "one", first["prompt"]["id"], "ann")
        # The supervisor: nothing outlives it, and its successor asks again.
        family = daemon.family()
        daemon.kill()
        await asyncio.to_thread(psutil.wait_procs, family, 10)
        assert not any(process.is_running() for process in family)
        await daemon.start()
        third = await asked(daemon, "one", other_than=second["prompt"]["id"])
        assert (await answer(daemon, "one", third["prompt"]["id"], "ann"))["ok"]
        fourth = await asked(daemon, "one", other_than=third["prompt"]["id"])
        assert (await answer(daemon, "one", fourth["prompt"]["id"], PASSWORD))["ok"]
        await daemon.wait_phase(key("one"), "running")


async def test_s128_without_a_login_in_time_the_account_waits_for_a_person(tmp_path: Path) -> None:
    one = {"kinds": ["qr"], "login": {"withinSeconds": 1.5}}
    async with daemon_of(tmp_path, one=one) as daemon:
        code, out, err = await daemon.command("channels", "login", key("one"))
        assert (code, "no login within 1.5 s" in err) == (1, True)
        row = (await daemon.status())["accounts"][key("one")]
        assert (row["phase"], row["cause"], row["failures"]) == ("failed", "needs_login", 0)
        assert row["todo"] == f"log it in: `trunkline channels login {key('one')}`"
        assert "2@code-" in out  # no terminal: the text of the code


def platform() -> web.Application:
    """Return a platform whose login page leads back at once, as for one who is logged in there."""

    async def authorize(request: web.Request) -> web.Response:
        back = URL(request.query["redirect_uri"])
        given = {"code": "code-of-the-platform", "state": request.query["state"]}
        raise web.HTTPFound(back.update_query(given))

    async def token(request: web.Request) -> web.Response:
        given = await request.post()
        assert given["code"] == "code-of-the-platform"
        return web.json_response({"token": "token-of-the-platform"})

    app = web.Application()
    app.router.add_get("/authorize", authorize)
    app.router.add_post("/token", token)
    return app


async def test_a_login_page_leads_back_to_the_account_itself(tmp_path: Path) -> None:
    async with TestServer(platform()) as server, aiohttp.ClientSession() as browser:
        one = {"kinds": ["web"], "ingress": True, "server": f"http://127.0.0.1:{server.port}"}
        daemon = daemon_of(tmp_path, one=one)
        public = f"http://127.0.0.1:{daemon.port}"
        config = {"channels": {CHANNEL: {"accounts": {"one": one}}}}
        daemon.write(config | {"gateway": {"publicUrl": public}})
        callback = f"{public}/channels/{CHANNEL}/one/callback"
        async with daemon:
            page = (await asked(daemon, "one"))["prompt"]["text"]
            assert URL(page).query["redirect_uri"] == callback
            async with browser.get(callback, params={"state": "x", "code": "forged"}) as answer:
                assert answer.status == 400
            gateway = (await daemon.status())["gateway"]["pid"]
            os.kill(gateway, signal.SIGKILL)  # the next one meets an account that does not run
            await daemon.wait(
                lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != gateway
            )
            async with browser.get(page) as answer:
                assert (answer.status, str(answer.url.with_query(None))) == (200, callback)
                assert await answer.text() == "You are logged in, and may close this page."
                back = answer.url
            status = await daemon.wait(lambda s: s["accounts"][key("one")]["phase"] == "running")
            assert status["accounts"][key("one")]["failures"] == 0
            async with browser.get(back) as answer:
                assert answer.status == 400  # it leads back once
        kept = [
            path.read_text(errors="replace")
            for path in [*(tmp_path / "state").rglob("*.log"), daemon.output]
        ]
        assert not [text for text in kept if "of-the-platform" in text]
