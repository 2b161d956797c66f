"""A few questions over a WebSocket, without the packages that links need."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.cli.quick_link import gateway_link, supervisor_link
from tests.support.fakeserver import fake_gateway, fake_supervisor


def over_socket(path: Path, method: str) -> Any:
    with supervisor_link(str(path)) as link:
        return link.ask(method, {})


def over_tcp(access: dict[str, Any], method: str) -> Any:
    with gateway_link(access) as link:
        return link.ask(method, {"limit": 1})


def access_to(url: str, token: Any) -> dict[str, Any]:
    return {"url": url, "token": token, "password": None, "certificate": None}


@pytest.mark.parametrize("size", [1, 200, 70_000, 200_000])
async def test_an_answer_of_any_length_is_read(state: Path, size: int) -> None:
    """The length of a frame is written in one of three ways."""
    async with fake_supervisor(state, some__thing={"text": "x" * size}):
        found = await asyncio.to_thread(over_socket, state / "cli.sock", "some.thing")
    assert found == {"text": "x" * size}


async def test_a_gateway_is_asked_with_its_secret() -> None:
    async with fake_gateway("secret", cron__list={"jobs": []}) as gateway:
        access = access_to(gateway.url, "secret")
        assert await asyncio.to_thread(over_tcp, access, "cron.list") == {"jobs": []}
        for wrong in ("other", None, {"source": "exec", "id": "echo secret"}):
            with pytest.raises((KeyError, OSError, ValueError)):
                await asyncio.to_thread(over_tcp, access_to(gateway.url, wrong), "cron.list")


async def test_a_missing_supervisor_raises(state: Path) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - a completion prints none of it
        await asyncio.to_thread(over_socket, state / "cli.sock", "x")


def test_the_quick_link_imports_no_other_module_of_trunkline() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, ops.cli.quick_link; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"msgspec", "websockets", "ssl", "asyncio", "typer"} & set(found)
