"""Sends requests to an endpoint through the ``openai`` SDK, and reads the answers.

Importing the SDK takes 32 MiB and half a second of CPU time, so it waits for the first turn.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urlsplit

import httpx2
import openai

from ipc.connection_errors import failure_text, host_and_port
from ipc.nesting import MALFORMED, decode_json
from workers.agents.event_streams import DONE, EventSplitter
from workers.agents.openai.client import omitted_headers, open_client
from workers.agents.openai.config import OpenAIConfig
from workers.agents.openai.refusals import failure_of, refusal_of
from workers.agents.openai.requests import Json
from workers.errors import Transient
from workers.web.retry_after import asked_wait

PATH = "/chat/completions"


class SdkEndpoint:
    """The endpoint of one agent, through ``proxy``. All turns share its connections."""

    def __init__(self, config: OpenAIConfig, proxy: str | None) -> None:
        self._client = open_client(config, proxy)
        self._omitted = omitted_headers(config)
        self._place = _place_of(proxy or config.base_url)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def values(self, body: Json) -> AsyncGenerator[object, None]:
        """Send a request; yield the answer in chunks, or whole. Raises ``ChannelError``."""
        try:
            response = await self._client.post(
                PATH,
                body=body,
                cast_to=httpx2.Response,
                stream=True,
                options={"headers": self._omitted},
            )
            async with aclosing(response), aclosing(response.aiter_raw()) as pieces:
                if "json" in response.headers.get("Content-Type", ""):
                    # Not asked for a stream, or an endpoint that knows none.
                    yield _value(b"".join([piece async for piece in pieces]))
                    return
                events = EventSplitter()
                async for piece in pieces:
                    for data in events.feed(piece):
                        if data == DONE:
                            return
                        yield _value(data)
        except openai.APIStatusError as error:
            wait = asked_wait(error.response.headers.get("Retry-After"))
            raise refusal_of(error.status_code, _body(error), wait) from None
        except openai.APIConnectionError as error:
            raise Transient(f"the endpoint: {self._why(error.__cause__)}") from None
        except httpx2.RequestError as error:  # while the answer is read
            raise Transient(f"the endpoint: {self._why(error)}") from None

    def _why(self, error: BaseException | None) -> str:
        """Describe a failed connection in one line."""
        match error:
            case httpx2.TimeoutException():
                return "no answer in time"
            case httpx2.ConnectError():
                return failure_text(error, self._place)
            case httpx2.RemoteProtocolError() | httpx2.ReadError() | httpx2.WriteError():
                return "it closed the connection"
        return type(error).__name__


def _place_of(url: str) -> str:
    """Return the host and port of a URL, without parts that may be secret."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return host_and_port(parts.hostname or "", port)


def _value(data: bytes) -> object:
    """Parse the JSON of a chunk; raises the exception of an error that it reports."""
    try:
        value = decode_json(data, object)
    except MALFORMED as error:
        raise Transient(f"the endpoint sent a chunk that is not JSON: {error}") from None
    if isinstance(value, dict) and value.get("error"):
        raise failure_of(value["error"])
    return value


def _body(error: openai.APIStatusError) -> object:
    return error.body or (error.response.text if error.response.is_closed else "")
