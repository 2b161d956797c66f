"""When the module of the HTTP endpoints is imported."""

from __future__ import annotations

import asyncio
import sys

import pytest

from runtime.gateway.http import late
from runtime.gateway.http.late import MODULE, LateEndpoints
from tests.support.gateway_rig import gateway_rig
from tests.support.until import until


@pytest.fixture(autouse=True)
def not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, MODULE, raising=False)


async def test_the_first_request_imports_them() -> None:
    async with gateway_rig() as rig:
        endpoints = LateEndpoints(rig.parts)
        assert MODULE not in sys.modules
        first = endpoints.protocol()
        assert MODULE in sys.modules
        assert endpoints.protocol() is not first, "each connection has a protocol of its own"
        await endpoints.close()


async def test_without_a_request_they_are_imported_a_while_after_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(late, "LOAD_AFTER", 0.0)
    async with gateway_rig():
        await until(lambda: MODULE in sys.modules)


async def test_a_gateway_that_ends_before_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "LOAD_AFTER", 0.01)
    async with gateway_rig(http={"enabled": False}) as rig:
        endpoints = LateEndpoints(rig.parts)
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.02, ended.set_result, None)
        await endpoints.close()
        await ended
        assert MODULE not in sys.modules
