"""What is sent to an endpoint, and what comes of its answers; the faults are those of the agent."""

from __future__ import annotations

import msgspec
import pytest

from workers.agents.openai.config import OpenAIConfig
from workers.agents.openai.endpoint import SdkEndpoint
from workers.errors import RateLimited, Transient
from workers.testing.fakes.model import FakeModel, fake_model


async def answered(fake: FakeModel) -> list[object]:
    """Return the chunks that an endpoint yields."""
    config = msgspec.convert({"model": "fake-1", "baseUrl": fake.base}, OpenAIConfig)
    endpoint = SdkEndpoint(config, None)
    try:
        body = {"model": "fake-1", "messages": [], "stream": True}
        return [each async for each in endpoint.values(body)]
    finally:
        await endpoint.close()


async def test_the_chunks_come_as_the_endpoint_has_sent_them() -> None:
    async with fake_model() as fake:
        fake.queue(raw=b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\ndata: {"c": 3}\n\n')
        assert await answered(fake) == [{"a": 1}, {"b": 2}]


async def test_an_error_has_its_class() -> None:
    async with fake_model() as fake:
        fake.queue(status=429, headers={"Retry-After": "7"})
        with pytest.raises(RateLimited) as refused:
            await answered(fake)
        assert refused.value.retry_after == 7
        fake.queue(raw=b'data: {"error": {"message": "overloaded"}}\n\n')
        with pytest.raises(Transient):
            await answered(fake)
