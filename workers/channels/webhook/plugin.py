"""Run a ``webhook`` account: signed messages in over the gateway's port, and out by POST."""

from __future__ import annotations

import asyncio
import time

from workers.channels.webhook.config import WebhookConfig
from workers.channels.webhook.deliveries import WebhookDeliveries
from workers.channels.webhook.payloads import BadBody, read
from workers.channels.webhook.signing import Unsigned, verify
from workers.errors import SendFailed
from workers.messages import HttpRequest, HttpResponse, Outbound, Sent
from workers.plugin import Context

PATH = "hook"


class Webhook:
    """The plugin of one peer."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.config: WebhookConfig = ctx.config
        self._keys = self.config.keys
        self._deliveries: WebhookDeliveries | None = None

    async def run(self) -> None:
        """Take requests and send messages until cancelled; there is no connection to keep."""
        self._deliveries = WebhookDeliveries(self.config, self.ctx.proxy)
        try:
            self.ctx.status(connected=True, detail=self.ctx.url(PATH))
            self.ctx.ready()
            await asyncio.Event().wait()
        finally:
            await self._deliveries.close()

    async def http(self, request: HttpRequest) -> HttpResponse:
        """Take the messages of a signed POST; answer once they are safe."""
        if request.path.strip("/") != PATH:
            return HttpResponse.text(404, f"messages are taken at …/{PATH}\n")
        if request.method != "POST":
            return HttpResponse.text(405, "messages come by POST\n", ("Allow", "POST"))
        given = (
            request.header("webhook-id"),
            request.header("webhook-timestamp"),
            request.header("webhook-signature"),
        )
        tolerance = self.config.tolerance_seconds
        try:
            name, timestamp = verify(self._keys, given, request.body, time.time(), tolerance)
            messages = read(request.body, name, timestamp)
            receipt = await self.ctx.emit(*messages)
        except Unsigned as error:
            return HttpResponse.text(401, f"{error}\n")
        except (BadBody, ValueError) as error:
            return HttpResponse.text(400, f"{error}\n")
        await receipt
        return HttpResponse.json(200, {"ok": True, "ids": [each.id for each in messages]})

    async def send(self, message: Outbound) -> Sent:
        """Send one message to ``url``."""
        if self._deliveries is None:
            raise SendFailed("the account is starting", reason="unavailable")
        return await self._deliveries.send(message)
