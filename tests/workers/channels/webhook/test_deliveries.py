"""Messages to a real HTTP server, and what each of its answers means."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.workers.channels.webhook.peer import OTHER, SECRET, verified
from workers.channels.webhook.config import WebhookConfig
from workers.channels.webhook.deliveries import WebhookDeliveries
from workers.errors import MaybeSent, SendFailed
from workers.messages import Attachment, Outbound

HI = Outbound(to="ops", text="hi", key="k1")


@dataclass
class Receiver:
    """A server that answers as it is told, and remembers what came."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    seen: list[tuple[bytes, dict[str, str], str]] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append((await request.read(), dict(request.headers), request.path_qs))
        if self.hold is not None:
            await self.hold.wait()
        if self.cut:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@asynccontextmanager
async def delivering(
    receiver: Receiver, path: str = "/hook?x=%20", **fields: Any
) -> AsyncIterator[WebhookDeliveries]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.take)
    async with TestServer(app) as server:
        given = {
            "secret": SECRET,
            "url": f"http://127.0.0.1:{server.port}{path}",
            "allowPrivate": True,
            "timeoutSeconds": 20,
        }
        deliveries = WebhookDeliveries(msgspec.convert(given | fields, WebhookConfig))
        try:
            yield deliveries
        finally:
            await deliveries.close()


async def refusal(receiver: Receiver, **fields: Any) -> SendFailed:
    async with delivering(receiver, **fields) as deliveries:
        with pytest.raises(SendFailed) as caught:
            await deliveries.send(HI)
    return caught.value


async def test_a_message_arrives_signed_under_its_key() -> None:
    receiver = Receiver()
    async with delivering(receiver, previousSecret=OTHER) as deliveries:
        sent = await deliveries.send(HI)
        again = await deliveries.send(HI)
    assert (sent.id, sent.chat, again.id) == ("k1", "ops", "k1")
    for body, headers, path in receiver.seen:
        assert verified(body, headers) == verified(body, headers, OTHER)
        assert json.loads(body)["data"] == {"to": "ops", "text": "hi", "key": "k1"}
        assert (path, headers["Content-Type"]) == ("/hook?x=%20", "application/json")
    assert len({headers["webhook-id"] for _, headers, _ in receiver.seen}) == 1


async def test_the_peer_may_name_the_message() -> None:
    for body, name in ((b'{"id":"theirs"}', "theirs"), (b'{"id":7}', "k1"), (b"[", "k1")):
        async with delivering(Receiver(body=body)) as deliveries:
            assert (await deliveries.send(HI)).id == name


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, "invalid"),
        (307, "invalid"),
        (400, "invalid"),
        (401, "forbidden"),
        (403, "forbidden"),
        (404, "not_found"),
        (410, "not_found"),
        (413, "too_long"),
        (422, "invalid"),
        (429, "rate_limited"),
        (500, "unavailable"),
        (503, "unavailable"),
    ],
)
async def test_each_status_has_its_reason(status: int, reason: str) -> None:
    receiver = Receiver(status=status, headers={"Location": "/elsewhere", "Retry-After": "7"})
    error = await refusal(receiver)
    assert error.reason == reason
    passing = reason in ("rate_limited", "unavailable")
    assert (error.retry_after, error.retryable) == ((7.0, True) if passing else (None, False))
    assert error.scope == ("account" if passing else "chat")
    assert len(receiver.seen) == 1  # a redirect is not followed


async def asked_to_wait(value: str) -> float | None:
    """Return for how long to wait after an answer 429 with this ``Retry-After``."""
    return (await refusal(Receiver(status=429, headers={"Retry-After": value}))).retry_after


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("99999999999999", 86_400, 86_400),
        ("soon", None, None),
        ("-5", None, None),
    ],
)
async def test_how_long_the_peer_asks_for(
    value: str, low: float | None, high: float | None
) -> None:
    found = await asked_to_wait(value)
    if low is None or high is None:
        assert found is None
    else:
        assert found is not None
        assert low <= found <= high


async def test_the_peer_may_name_a_date() -> None:
    found = await asked_to_wait(formatdate(time.time() + 100, usegmt=True))
    assert found is not None
    assert 60 <= found <= 101
    assert await asked_to_wait(formatdate(time.time() - 100, usegmt=True)) == 0


async def test_an_answer_that_does_not_come_may_have_been_a_delivery() -> None:
    assert isinstance(await refusal(Receiver(cut=True)), MaybeSent)
    receiver = Receiver(hold=asyncio.Event())
    assert isinstance(await refusal(receiver, timeoutSeconds=0.5), MaybeSent)
    assert receiver.hold is not None
    receiver.hold.set()


async def test_a_server_that_is_not_there_has_not_got_it() -> None:
    error = await refusal(Receiver(), url="http://127.0.0.1:1/hook?token=hunter2")
    assert not isinstance(error, MaybeSent)
    assert (error.reason, error.retryable) == ("unavailable", True)
    assert "hunter2" not in str(error)


async def test_a_name_that_leads_to_this_host_is_refused() -> None:
    receiver = Receiver()
    async with TestServer(web.Application()) as server:
        url = f"http://localhost:{server.port}/"
        error = await refusal(receiver, url=url, allowPrivate=False)
    assert error.reason == "forbidden"
    assert "allowPrivate" in str(error)


async def test_what_cannot_be_sent_is_refused_here() -> None:
    assert (await refusal(Receiver(), url=None)).reason == "unsupported"
    receiver = Receiver()
    async with delivering(receiver) as deliveries:
        local = msgspec.structs.replace(HI, attachments=[Attachment("file:///etc/passwd")])
        with pytest.raises(SendFailed) as caught:
            await deliveries.send(local)
    assert (caught.value.reason, receiver.seen) == ("unsupported", [])


async def test_an_odd_key_cannot_break_the_request() -> None:
    receiver = Receiver()
    async with delivering(receiver) as deliveries:
        await deliveries.send(msgspec.structs.replace(HI, key="a\r\nX-Evil: 1"))
    ((body, headers, _),) = receiver.seen
    assert "X-Evil" not in headers
    assert json.loads(body)["data"]["key"] == "a\r\nX-Evil: 1"
    verified(body, headers)
