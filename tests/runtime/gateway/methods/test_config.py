"""``config.*``, which the supervisor carries out."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from tests.support.house import house


async def test_a_configuration_is_told_under_the_names_of_the_protocol() -> None:
    async with house() as home:
        home.answers["config.get"] = {"path": "/x", "exists": True, "raw": "{}", "config": {"a": 1}}
        client = await home.client()
        answer = await client.call("config.get", {})
        for name in ("config", "parsed", "sourceConfig", "resolved", "runtimeConfig"):
            assert answer[name] == {"a": 1}


async def test_a_large_configuration_is_told_once() -> None:
    async with house() as home:
        values = {"a": "x" * 200_000}
        home.answers["config.get"] = {"path": "/x", "exists": True, "raw": "{}", "config": values}
        client = await home.client()
        answer = await client.call("config.get", {})
        assert answer["config"] == values
        assert "parsed" not in answer


async def test_a_refused_write_keeps_its_details() -> None:
    async with house() as home:
        error = {"code": "INVALID_REQUEST", "message": "no", "details": {"issues": [1]}}
        home.answers["config.set"] = {"ok": False, "error": error}
        client = await home.client()
        with pytest.raises(RemoteError) as caught:
            await client.call("config.set", {"raw": "{}", "baseHash": "h"})
        assert caught.value.details == {"issues": [1]}
        asked = await home.asked.get()
        assert asked["params"] == {"raw": "{}", "baseHash": "h"}
