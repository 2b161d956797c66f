"""Orders to a worker to end at an emit."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.context import RecordingContext
from workers.channels.local import LocalConfig
from workers.messages import Chat, Inbound, Sender
from workers.registry import manifests
from workers.testing import kill_points
from workers.testing.kill_points import (
    HaltingContext,
    KillOrder,
    Point,
    install,
    pending,
    save_order,
)


def inbound(text: str) -> Inbound:
    return Inbound("1", Chat("c", "direct"), Sender("s"), text, 1)


class Ended(BaseException):
    """In place of the end of this process."""


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HaltingContext:
    def end(*_: object) -> None:
        raise Ended

    monkeypatch.setattr("os.kill", end)
    return HaltingContext(RecordingContext(LocalConfig(), tmp_path))


@pytest.mark.parametrize(("point", "emitted"), [("before", 0), ("after", 1), ("durable", 1)])
async def test_an_order_ends_the_worker_at_its_point_so_many_times(
    ctx: HaltingContext, point: Point, emitted: int
) -> None:
    save_order(ctx.storage, KillOrder(point, 2))
    for left in (KillOrder(point, 1), None):
        ctx.emitted.clear()
        with pytest.raises(Ended):
            await ctx.emit(inbound("x"))
        assert pending(ctx.storage) == left
        assert len(ctx.emitted) == emitted
    ctx.emitted.clear()
    await ctx.emit(inbound("y"))
    assert [message.text for message in ctx.emitted] == ["y"]


def test_an_order_for_no_point_is_refused() -> None:
    wrong: Any = "behind"
    with pytest.raises(ValueError, match="'behind' is none of"):
        KillOrder(wrong)


def test_the_derived_channel_is_the_other_one_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "workers.channels.local:manifest", "local-under-test")
    monkeypatch.syspath_prepend(tmp_path)
    found = manifests()
    try:
        derived, local = found["local-under-test"].manifest, found["local"].manifest
        assert (derived.can, derived.config) == (local.can, local.config)
        assert derived.describe({}) == local.describe({})
        plugin = kill_points.plugin_under_test("workers.channels.local:manifest")
        assert plugin.__name__ == "Local"
    finally:
        for name in [name for name in sys.modules if name.startswith(kill_points.PACKAGE)]:
            del sys.modules[name]


async def test_the_plugin_gets_the_context_that_halts(tmp_path: Path) -> None:
    made = kill_points.plugin_under_test("workers.channels.local:manifest")
    ctx = RecordingContext(LocalConfig(), tmp_path)
    plugin = made(ctx)
    assert plugin.ctx.storage == ctx.storage
    assert isinstance(plugin.ctx, HaltingContext)
    await asyncio.sleep(0)
