"""What all requests to the API have in common: methods, what is off, pages of other origins."""

from __future__ import annotations

import pytest

from runtime.gateway.http import api
from tests.support.http_api import CHAT, RESPONSES, RIGHT, http_rig, said
from tests.support.rig_agent import echo_agent

PAGE = {"Origin": "https://app.example"}


async def test_a_wrong_method_is_refused_before_the_secret_is_asked_for() -> None:
    async with http_rig() as client:
        for path, method, allowed in (
            (CHAT, "GET", "POST"),
            (RESPONSES, "PUT", "POST"),
            ("/v1/models", "POST", "GET"),
            ("/tools/invoke", "OPTIONS", "POST"),
            ("/sessions/main/history", "POST", "GET"),
        ):
            status, text, headers = await client.ask(path, method=method, headers={})
            assert (status, text, headers["Allow"]) == (405, "Method Not Allowed", allowed)
            assert "Access-Control-Allow-Origin" not in headers


async def test_only_pages_of_origins_that_are_named_may_read_answers() -> None:
    async with http_rig(allowedOrigins=[PAGE["Origin"]]) as client:
        await echo_agent(client.rig)
        asks = {"Access-Control-Request-Headers": "authorization, X-Trunkline-Agent-Id, b@d"}
        status, _, headers = await client.ask(CHAT, method="OPTIONS", headers=PAGE | asks)
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, PAGE["Origin"])
        assert headers["Access-Control-Allow-Methods"] == "POST"
        assert headers["Access-Control-Allow-Headers"] == "authorization, x-trunkline-agent-id"
        for given in (RIGHT, {"Authorization": "Bearer no"}):
            _, _, headers = await client.ask(CHAT, said("hi"), headers=given | PAGE)
            assert headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
            assert headers["Vary"] == "Origin"
        stranger = RIGHT | {"Origin": "https://evil.example"}
        status, _, headers = await client.ask(CHAT, said("hi"), headers=stranger)
        assert (status, "Access-Control-Allow-Origin" in headers) == (403, False)
        own = RIGHT | {"Origin": f"http://127.0.0.1:{client.rig.port}"}
        status, _, headers = await client.ask(CHAT, said("hi"), headers=own)
        assert (status, "Access-Control-Allow-Origin" in headers) == (200, False)


async def test_more_at_once_than_is_answered_is_asked_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "MAX_IN_FLIGHT", 0)
    async with http_rig() as client:
        status, body, headers = await client.ask("/v1/models")
        assert (status, body["error"]["type"], headers["Retry-After"]) == (503, "api_error", "1")
        assert client.rig.parts.api.outcomes["failed"] == 1
        assert client.rig.parts.api.in_flight == 0
