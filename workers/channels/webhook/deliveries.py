"""Posts the messages of a ``webhook`` account, signed, each under a stable id."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - a first connection imports it: 1.3 MiB in each worker
import time

import aiohttp

from ipc.nesting import MALFORMED, decode_json
from workers.channels.webhook.config import WebhookConfig
from workers.channels.webhook.payloads import LINKS, write
from workers.errors import MaybeSent, Reason, SendFailed
from workers.messages import Outbound, Sent
from workers.web.faults import NoAnswer, fault_of
from workers.web.public_addresses import PrivateAddress, public_session
from workers.web.retry_after import asked_wait
from workers.web.signing import sign, webhook_id

CONNECT_SECONDS = 10.0
MAX_ANSWER = 64 * 1024  # bytes that are read of an answer
# What an answer means for one message; other statuses of 400 and more are by their class.
REASONS: dict[int, Reason] = {
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    408: "unavailable",
    410: "not_found",
    413: "too_long",
    425: "unavailable",
    429: "rate_limited",
}


class WebhookDeliveries:
    """Posts the messages of one account, through ``proxy``."""

    def __init__(self, config: WebhookConfig, proxy: str | None = None) -> None:
        self._config = config
        self._proxy = proxy
        limits = aiohttp.ClientTimeout(
            total=config.timeout_seconds,
            sock_connect=min(CONNECT_SECONDS, config.timeout_seconds),
        )
        self._session = public_session(
            limits, allow_private=config.allow_private, behind_proxy=proxy is not None
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, message: Outbound) -> Sent:
        """Send one message. Raises ``SendFailed``, or ``MaybeSent`` if it may have arrived."""
        if self._config.url is None:
            raise SendFailed("the account has no url to send to", reason="unsupported")
        if any(not each.url.startswith(LINKS) for each in message.attachments):
            raise SendFailed(
                f"files go by an address that begins with {', '.join(LINKS)}",
                reason="unsupported",
            )
        now = int(time.time())
        name, body = webhook_id(message.key), write(message, now)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self._config.keys, name, now, body),
        }
        status, answer, retry_after = await self._post(body, headers)
        if not 200 <= status < 300:
            raise _failure(status, retry_after)
        return Sent(id=_named_in(answer) or name, chat=message.to, ts=now * 1000)

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, float | None]:
        assert self._config.url is not None
        try:
            async with self._session.post(
                self._config.url,
                data=aiohttp.BytesPayload(body, content_type="application/json"),
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                answer = await response.content.read(MAX_ANSWER)
                wait = asked_wait(response.headers.get("Retry-After"))
                return response.status, answer, wait
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unsent(error) from None


def _unsent(error: BaseException) -> SendFailed:
    """Return the error for a request that got no response."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, PrivateAddress
    ):
        return SendFailed(
            f"{error.os_error.strerror}; set allowPrivate to send there", reason="forbidden"
        )
    if isinstance(error, aiohttp.InvalidURL):
        return SendFailed("url is not a valid URL", reason="invalid")
    fault = fault_of("the message", error)
    if isinstance(fault, NoAnswer):
        return MaybeSent(str(fault))
    return SendFailed(str(fault), reason="unavailable")


def _failure(status: int, retry_after: float | None) -> SendFailed:
    """Return the error for a response with an error status."""
    if 300 <= status < 400:
        text = f"the peer redirects (HTTP {status}), which is not followed: correct url"
        return SendFailed(text, reason="invalid")
    reason = REASONS.get(status, "unavailable" if status >= 500 else "invalid")
    waits = reason in ("rate_limited", "unavailable")
    return SendFailed(
        f"the peer answered HTTP {status}",
        reason=reason,
        retry_after=retry_after if waits else None,
        scope="account" if waits else "chat",
    )


def _named_in(answer: bytes) -> str | None:
    """Return the id that the peer gave the message, if its response is JSON with one."""
    try:
        value = decode_json(answer, object)
    except MALFORMED:
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= 512 else None
