"""Answers turns with a model behind an endpoint of the chat completions API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from importlib.util import find_spec
from typing import Protocol

from workers.agent import AgentContext, Final, Turn, TurnEvent
from workers.agents.answers import AnswerBound
from workers.agents.openai.completions import CompletionReader
from workers.agents.openai.config import OpenAIConfig
from workers.agents.openai.images import split_images
from workers.agents.openai.requests import Json, request_of
from workers.errors import Misconfigured

SDK = "openai"
if find_spec(SDK) is None:  # it is imported with the first turn: that is too late to say so
    raise ModuleNotFoundError(f"No module named {SDK!r}", name=SDK)


class ModelEndpoint(Protocol):
    """The connection to the endpoint of a model."""

    def values(self, body: Json) -> AsyncGenerator[object, None]:
        """Send a request; yield the answer in chunks, or whole. Raises ``ChannelError``."""

    async def close(self) -> None:
        """Close the connections."""


class OpenAIAgent:
    """The agent of one model; its endpoint is opened with the first turn."""

    def __init__(self, ctx: AgentContext) -> None:
        self.ctx = ctx
        self.config: OpenAIConfig = ctx.config
        self._opening: asyncio.Task[ModelEndpoint] | None = None

    async def run(self) -> None:
        """Keep the connections open until cancelled, then close them."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._opening is not None:
                endpoint = await self._opening
                await endpoint.close()

    async def turn(self, turn: Turn) -> AsyncIterator[TurnEvent | Final]:
        """Yield the model's text as it comes, its tool calls, and the final event."""
        endpoint = await self._endpoint()
        images: list[Json] = []
        files = turn.attachments
        if self.config.images:
            images, files = await split_images(self.ctx, turn.attachments)
        reader = CompletionReader(AnswerBound(self.config.max_answer_bytes))
        asked = request_of(self.config, turn, images, files)
        async with aclosing(endpoint.values(asked)) as values:
            async for value in values:
                for delta in reader.read(value):
                    yield delta
        for event in reader.end():
            yield event

    async def _endpoint(self) -> ModelEndpoint:
        """Return the endpoint; opening it goes on for other turns if this one is cancelled."""
        if self._opening is None:
            self._opening = asyncio.create_task(self.ctx.thread(_open, self.config, self.ctx.proxy))
        try:
            return await asyncio.shield(self._opening)
        except Exception as error:
            self._opening = None  # what was in the way may pass
            if isinstance(error, ImportError):
                raise Misconfigured(f"the {SDK} SDK cannot be imported: {error}") from None
            raise


def _open(config: OpenAIConfig, proxy: str | None) -> ModelEndpoint:
    """Open the endpoint; runs on a thread, so that the SDK's import delays no heartbeat."""
    from workers.agents.openai.endpoint import SdkEndpoint  # late: it saves idle agents 32 MiB

    return SdkEndpoint(config, proxy)
