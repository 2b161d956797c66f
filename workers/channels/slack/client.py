"""Calls the methods of Slack's Web API over HTTP.

The token is sent in a header, never in a URL. Parameters are form fields, which every method
accepts; some do not accept JSON. Redirects are not followed: they could send the token elsewhere.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - a first connection imports it: 1.3 MiB in each worker
from collections.abc import Mapping
from typing import TypeVar

import aiohttp
import msgspec

from ipc.nesting import MALFORMED, decode_json, require_shallow
from workers.channels.slack.objects import Json, SlackReply
from workers.channels.slack.refusals import SlackRefusal
from workers.web.api_calls import CALL_SECONDS, send_request
from workers.web.faults import TOO_LARGE, NoAnswer, Unreachable, is_proxy_refusal
from workers.web.retry_after import asked_wait

T = TypeVar("T")

RETRY_SECONDS = 30.0  # where a refusal for the rate does not say how long

# Made in the zygote: a type costs its first use 0.5 MiB, in each worker.
_reply = msgspec.json.Decoder(SlackReply)
_encode = msgspec.json.Encoder().encode


class WebApi:
    """Calls methods with one token. ``scopes`` are the token's, by the last response.

    ``bearer`` is the header that contains the token.
    """

    def __init__(self, session: aiohttp.ClientSession, root: str, token: str) -> None:
        self.scopes: frozenset[str] = frozenset()
        self._session = session
        self._base = f"{root.rstrip('/')}/api/"
        self.bearer = {"Authorization": f"Bearer {token}"}

    async def call(
        self,
        method: str,
        params: Json | None = None,
        *,
        result: type[T] = object,  # type: ignore[assignment]
        seconds: float = CALL_SECONDS,
    ) -> T:
        """Call a method; return its answer, decoded as ``result``.

        Raises ``SlackRefusal``, ``Unreachable`` or ``NoAnswer``.
        """
        status, headers, content = await send_request(
            self._session,
            method,
            "POST",
            self._base + method,
            data=aiohttp.FormData(form_of(params or {})),
            seconds=seconds,
            headers=self.bearer,
        )
        if status == 429:
            raise SlackRefusal(method, "ratelimited", retry_after=_seconds(headers))
        try:
            require_shallow(content)
            reply = _reply.decode(content)
        except MALFORMED:
            text = f"{method}: an answer that is not Slack's (HTTP {status})"
            if status == TOO_LARGE:
                raise SlackRefusal(method, "msg_too_long") from None
            raise Unreachable(text) if is_proxy_refusal(status) else NoAnswer(text) from None
        if not reply.ok:
            raise SlackRefusal(
                method, reply.error or f"HTTP {status}", reply.needed or "", reply.provided or ""
            )
        self.scopes = _scopes(headers)
        try:
            return decode_json(content, result)
        except MALFORMED as error:
            raise NoAnswer(f"{method}: the response cannot be parsed: {error}") from None


def form_of(params: Json) -> dict[str, str]:
    """Return parameters as form fields; values other than text become JSON."""
    return {
        name: value if isinstance(value, str) else _encode(value).decode()
        for name, value in params.items()
        if value is not None
    }


def _seconds(headers: Mapping[str, str]) -> float:
    asked = asked_wait(headers.get("Retry-After"))
    return RETRY_SECONDS if asked is None else asked


def _scopes(headers: Mapping[str, str]) -> frozenset[str]:
    named = headers.get("X-OAuth-Scopes", "")
    return frozenset(each.strip() for each in named.split(",") if each.strip())
