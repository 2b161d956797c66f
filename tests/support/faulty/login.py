"""A plugin that a person must log in, with every kind of prompt.

``web`` logs in as OAuth does: the page of ``server`` leads back to the account's own address.
A file ``scanned`` in its storage stands for the phone. The password is ``sesame-7``; another one is
asked for again. It logs what it must not: tests look for that in the log.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode

from workers.errors import LoggedOut
from workers.messages import Outbound, Sent
from workers.plugin import Ask, Code, Context, HttpRequest, HttpResponse, Open, Qr

PASSWORD = "sesame-7"
STATE = "state-of-this-login"


class AsksForLogin:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.logins = 0

    async def run(self) -> None:
        ctx = self.ctx
        if ctx.credentials is None or ctx.fresh_credentials:
            found: dict[str, Any] = {}
            for kind in ctx.config.kinds:
                found |= await getattr(self, f"_{kind}")()
            await ctx.save_credentials(found | {"session": "session-token-1"})
        ctx.log.info("logged in", answers=str(ctx.credentials))
        ctx.ready()
        ctx.status(connected=True, linked=True, detail=f"logged in {sorted(ctx.credentials)}")
        await asyncio.Event().wait()

    async def http(self, request: HttpRequest) -> HttpResponse:
        query = dict(parse_qsl(request.query))
        if request.path == "callback" and self.ctx.opened(query.get("state", ""), query):
            return HttpResponse.text(200, "You are logged in, and may close this page.")
        return HttpResponse.text(400, "no login leads here")

    async def send(self, message: Outbound) -> Sent:
        if message.text == "log out":
            raise LoggedOut("as the platform wants it")
        return Sent(id="1", chat=message.to, ts=1)

    async def logout(self) -> bool:
        return True

    async def _qr(self) -> dict[str, Any]:
        while not self._scanned():
            self.logins += 1
            await self.ctx.login(
                Qr(f"2@code-{self.logins}", "Settings, Linked devices."),
                expires=self.ctx.config.renew,
            )
            await self._wait(self.ctx.config.renew)
        return {"by": "qr"}

    async def _code(self) -> dict[str, Any]:
        await self.ctx.login(Code("ABCD-1234", "In the app, Link with phone number."))
        await self._wait(600.0)
        return {"by": "code"}

    async def _ask(self) -> dict[str, Any]:
        name = await self.ctx.login(Ask("Name:"))
        text = "Password:"
        while (password := await self.ctx.login(Ask(text, secret=True))) != PASSWORD:
            self.ctx.log.warning("refused", password=password)
            text = "Wrong. Password:"
        return {"name": name, "password": password}

    async def _open(self) -> dict[str, Any]:
        query = await self.ctx.login(Open("https://example.org/oauth?client=1", STATE))
        return {"code": query["code"]}

    async def _web(self) -> dict[str, Any]:
        ctx, state = self.ctx, secrets.token_urlsafe(16)
        given = {"client_id": "trunkline", "redirect_uri": ctx.url("callback"), "state": state}
        query = await ctx.login(Open(f"{ctx.config.server}/authorize?{urlencode(given)}", state))
        async with ctx.http.post(f"{ctx.config.server}/token", data=query) as answer:
            found: dict[str, Any] = await answer.json()
            return {"by": "web"} | found

    def _scanned(self) -> bool:
        return (self.ctx.storage / "scanned").exists()

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self._scanned() and loop.time() < end:  # noqa: ASYNC110 - a file tells nothing
            await asyncio.sleep(0.02)
