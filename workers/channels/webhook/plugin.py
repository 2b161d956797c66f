"""Runs a ``webhook`` account: signed messages come in over the gateway's port, go out by POST."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from mmap import ACCESS_READ, mmap

import msgspec

from workers.channels.webhook.config import WebhookConfig
from workers.channels.webhook.deliveries import WebhookDeliveries
from workers.channels.webhook.payloads import BadBody, read
from workers.channels.webhook.uploads import (
    MAX_MESSAGE,
    Body,
    FormData,
    UploadedFile,
    boundary_of,
    split,
)
from workers.errors import SendFailed
from workers.messages import HttpRequest, HttpResponse, Inbound, Outbound, Sent
from workers.plugin import Context
from workers.web.signing import Unsigned, verify
from workers.web.trace_context import HEADER, kept

PATH = "hook"
PIECE = 256 * 1024  # bytes of a file that are read at once


class Webhook:
    """The plugin of one peer."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.config: WebhookConfig = ctx.config
        self._keys = self.config.keys
        self._deliveries: WebhookDeliveries | None = None
        self._refused = 0  # signed requests since the last right one

    async def run(self) -> None:
        """Receive and send messages until cancelled; there is no connection to keep."""
        self._deliveries = WebhookDeliveries(self.config, self.ctx.proxy)
        try:
            self.ctx.status(connected=True, detail=self.ctx.url(PATH))
            self.ctx.ready()
            await asyncio.Event().wait()
        finally:
            await self._deliveries.close()

    async def http(self, request: HttpRequest) -> HttpResponse:
        """Emit the messages of a signed POST; answer once they are stored."""
        if request.path.strip("/") != PATH:
            return HttpResponse.text(404, f"messages are accepted at …/{PATH}\n")
        if request.method != "POST":
            return HttpResponse.text(405, "messages must be sent by POST\n", ("Allow", "POST"))
        with open_body(request) as body:
            return await self._receive(request, body)

    async def _receive(self, request: HttpRequest, body: Body) -> HttpResponse:
        given = (
            request.header("webhook-id"),
            request.header("webhook-timestamp"),
            request.header("webhook-signature"),
        )
        tolerance = self.config.tolerance_seconds
        try:
            check = partial(verify, self._keys, given, body, time.time(), tolerance)
            large = request.body_file is not None
            name, timestamp = await self.ctx.thread(check) if large else check()
            boundary = boundary_of(request.header("content-type"))
            upload = FormData(whole(body), []) if boundary is None else split(body, boundary)
            trace = kept(request.header(HEADER)) or None
            self._on_signed()
            messages = read(upload.message, name, timestamp, trace)
            if upload.files:
                messages = await self._with_files(messages, upload.files, body)
            receipt = await self.ctx.emit(*messages)
        except Unsigned as error:
            if None not in given:
                self._on_refused(str(error))
            return HttpResponse.text(401, f"{error}\n")
        except (BadBody, ValueError) as error:
            return HttpResponse.text(400, f"{error}\n")
        await receipt
        return HttpResponse.json(200, {"ok": True, "ids": [each.id for each in messages]})

    def _on_refused(self, why: str) -> None:
        """Report a wrong signature: only the peer is answered, and its messages do not arrive.

        Anybody can send one, so the report comes ever more seldom.
        """
        self._refused += 1
        if self._refused & (self._refused - 1) == 0:
            self.ctx.log.warning("request refused", reason=why, times=self._refused)
            self.ctx.status(last_error=f"{self._refused} of the last requests refused: {why}")

    def _on_signed(self) -> None:
        if self._refused:
            self._refused = 0
            self.ctx.status(last_error=None)

    async def _with_files(
        self, messages: list[Inbound], files: list[UploadedFile], body: Body
    ) -> list[Inbound]:
        """Store the files of the message; return it with them attached."""
        if len(messages) != 1:
            raise BadBody("a body with files must have exactly one message")
        kept = [
            await self.ctx.media.receive(
                pieces(body, each), name=each.name, type=each.type, size=each.end - each.begin
            )
            for each in files
        ]
        attachments = [*messages[0].attachments, *kept]
        return [msgspec.structs.replace(messages[0], attachments=attachments)]

    async def send(self, message: Outbound) -> Sent:
        """Send one message to ``url``."""
        if self._deliveries is None:
            raise SendFailed("the account is starting", reason="unavailable")
        return await self._deliveries.send(message)


@contextmanager
def open_body(request: HttpRequest) -> Iterator[Body]:
    """Open the body of a request; a large one is its file, mapped into memory."""
    if request.body_file is None:
        yield request.body
        return
    with request.body_file.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
        yield mapped


def whole(body: Body) -> bytes:
    """Return a body without files as bytes; raises ``BadBody`` if it is too large."""
    if len(body) > MAX_MESSAGE:
        raise BadBody(f"without files a body has at most {MAX_MESSAGE} bytes")
    return body[:]


async def pieces(body: Body, file: UploadedFile) -> AsyncIterator[bytes]:
    """Yield a file in pieces."""
    for at in range(file.begin, file.end, PIECE):
        yield body[at : min(at + PIECE, file.end)]
