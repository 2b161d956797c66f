"""``config.*``, which the supervisor carries out."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from tests.support.gateway_rig import gateway_rig


async def test_a_configuration_is_told_under_the_names_of_the_protocol() -> None:
    async with gateway_rig() as rig:
        rig.answers["config.get"] = {"path": "/x", "exists": True, "raw": "{}", "config": {"a": 1}}
        client = await rig.client()
        answer = await client.call("config.get", {})
        for name in ("config", "parsed", "sourceConfig", "resolved", "runtimeConfig"):
            assert answer[name] == {"a": 1}


async def test_a_large_configuration_is_told_once() -> None:
    async with gateway_rig() as rig:
        values = {"a": "x" * 200_000}
        rig.answers["config.get"] = {"path": "/x", "exists": True, "raw": "{}", "config": values}
        client = await rig.client()
        answer = await client.call("config.get", {})
        assert answer["config"] == values
        assert "parsed" not in answer


async def test_a_refused_write_keeps_its_details() -> None:
    async with gateway_rig() as rig:
        error = {"code": "INVALID_REQUEST", "message": "no", "details": {"issues": [1]}}
        rig.answers["config.set"] = {"ok": False, "error": error}
        client = await rig.client()
        with pytest.raises(RemoteError) as caught:
            await client.call("config.set", {"raw": "{}", "baseHash": "h"})
        assert caught.value.details == {"issues": [1]}
        asked = await rig.asked.get()
        assert asked["params"] == {"raw": "{}", "baseHash": "h"}


async def test_a_check_says_whether_it_is_of_a_patch() -> None:
    async with gateway_rig() as rig:
        rig.answers["config.validate"] = {"ok": True, "gateway": "nothing"}
        client = await rig.client()
        await client.call("config.validate", {"raw": "{}", "patch": True})
        assert (await rig.asked.get())["params"] == {"raw": "{}", "patch": True}
