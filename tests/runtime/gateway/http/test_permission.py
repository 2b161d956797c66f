"""Who may ask by HTTP: whoever brings the secret, or whom the configuration lets in without."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict

from tests.support.http_api import RIGHT, head, http_rig
from tests.support.until import until

MODELS, TOOLS = "/v1/models", "/tools/invoke"
LIST = {"tool": "agents_list"}
FEWER = {"x-openclaw-scopes": "operator.read, operator.nonsense"}


async def test_the_secret_is_an_operator_who_may_do_everything() -> None:
    async with http_rig() as client:
        for headers, status in (
            (RIGHT, 200),
            (RIGHT | FEWER, 200),
            ({}, 401),
            ({"Authorization": "Bearer "}, 401),
            ({"Authorization": "Basic dG9rZW4="}, 401),
            ({"X-Api-Key": RIGHT["Authorization"].partition(" ")[2]}, 401),
        ):
            found, body, _ = await client.ask(TOOLS, LIST, headers=headers)
            assert found == status, headers
        assert body == {"error": {"message": "Unauthorized", "type": "unauthorized"}}


async def test_without_a_secret_a_request_may_want_less_and_no_other_site_may_ask() -> None:
    async with http_rig(auth={"mode": "none"}) as client:
        assert (await client.ask(TOOLS, LIST, headers={}))[0] == 200
        assert (await client.ask(MODELS, headers=FEWER))[0] == 200
        status, body, _ = await client.ask(TOOLS, LIST, headers=FEWER)
        assert (status, body["error"]["details"]["missingScope"]) == (403, "operator.write")
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert (await client.ask(MODELS, headers=foreign))[0] == 401
        page = {"Origin": "https://evil.example"}
        assert (await client.ask(TOOLS, LIST, headers=page))[0] == 403
        assert client.rig.parts.api.outcomes["forbidden"] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"x-forwarded-user": "ann", "x-forwarded-for": "203.0.113.9"}, 200), ({}, 401)],
)
async def test_a_proxy_that_is_trusted_names_its_user(headers: dict[str, str], status: int) -> None:
    proxy: dict[str, Any] = {"mode": "trusted-proxy", "trustedProxy": {"allowLoopback": True}}
    async with http_rig(auth=proxy, trustedProxies=["127.0.0.1"]) as client:
        assert (await client.ask(MODELS, headers=headers))[0] == status


async def test_guesses_lock_the_address_that_the_proxy_names_last() -> None:
    """Some proxies add a line of their own, behind the one that the client has sent."""
    async with http_rig(trustedProxies=["127.0.0.1"]) as client:
        for number in range(10):
            wrong = CIMultiDict({"X-Forwarded-For": f"198.51.100.{number}"})
            wrong.add("X-Forwarded-For", "203.0.113.9")
            wrong["Authorization"] = "Bearer wrong"
            assert (await client.ask(MODELS, headers=wrong))[0] == 401
        far = {"x-forwarded-for": "203.0.113.9"}
        assert (await client.ask(MODELS, headers=far | RIGHT))[0] == 429


async def test_guesses_lock_their_address() -> None:
    async with http_rig(trustedProxies=["127.0.0.1"]) as client:
        far = {"x-forwarded-for": "203.0.113.9"}
        for _ in range(10):
            wrong = far | {"Authorization": "Bearer wrong"}
            assert (await client.ask(MODELS, headers=wrong))[0] == 401
        status, body, headers = await client.ask(MODELS, headers=far | RIGHT)
        assert (status, body["error"]["type"]) == (429, "rate_limited")
        assert 290 < int(headers["Retry-After"]) <= 301
        assert (await client.ask(MODELS))[0] == 200
        assert client.rig.parts.api.outcomes["throttled"] == 1


async def test_wrong_secrets_whose_answers_are_late_keep_no_others_waiting() -> None:
    async with http_rig() as client:
        wrong = {"Authorization": "Bearer wrong"}
        asking = [asyncio.create_task(client.ask(MODELS, headers=wrong)) for _ in range(40)]
        await until(lambda: client.rig.parts.api.in_flight == 40)
        assert (await client.ask(MODELS))[0] == 200
        assert sum(each.done() for each in asking) < 20
        assert {status for status, _, _ in await asyncio.gather(*asking)} == {401}


async def test_whoever_gives_up_waits_no_more_and_keeps_nobody_from_its_turn() -> None:
    async with http_rig() as client:
        wrong = msgspec.json.encode(LIST)
        for _ in range(50):  # each would be answered seconds late, eight at a time
            _, writer = await asyncio.open_connection("127.0.0.1", client.rig.port)
            writer.write(head(TOOLS, len(wrong)).replace(b"Bearer ", b"Bearer x") + wrong)
            writer.close()
            await writer.wait_closed()
        assert (await client.ask(MODELS))[0] == 200
        await until(lambda: not client.rig.parts.api.in_flight)
