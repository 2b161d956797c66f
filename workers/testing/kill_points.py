"""Kills or blocks a worker, for a test, at the moment when its plugin emits.

The kit does not start the channel itself but one derived from it, which is this: the same
manifest under another name, and the same plugin with a context that looks for an order of the
test at each emit. Everything else of the worker is as it is.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from ipc.nesting import decode_json
from workers.plugin import Manifest
from workers.process.loading import import_object

SUFFIX = "-under-test"
ORDER = "kit-order.json"  # in the account's storage
PACKAGE = "trunkline_kit"  # of the channel that is derived, in a directory of its own
FOR_EVER = 3600  # seconds

# Before what the plugin emits is; when it is, that is, when there was room; when it is durable, but
# the plugin does not know it yet. ``block`` stops the loop for ever instead.
Point = Literal["before", "after", "durable", "block"]


class KillOrder(msgspec.Struct):
    """Kill the worker at ``point`` the next ``times`` times that it gets there."""

    point: Point
    times: int = 1

    def __post_init__(self) -> None:
        if self.point not in get_args(Point):
            raise ValueError(f"{self.point!r} is none of {', '.join(get_args(Point))}")


def save_order(storage: Path, order: KillOrder) -> None:
    """Save an order for the account with this storage, in place of any other."""
    storage.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = storage / f"{ORDER}.new"
    fresh.write_bytes(msgspec.json.encode(order))
    fresh.replace(storage / ORDER)


def remove_order(storage: Path) -> None:
    """Remove the order, if there is one."""
    (storage / ORDER).unlink(missing_ok=True)


def pending(storage: Path) -> KillOrder | None:
    """Return the order that is not carried out yet."""
    try:
        return decode_json((storage / ORDER).read_bytes(), KillOrder)
    except FileNotFoundError:
        return None


def manifest_under_test(reference: str, plugin: str) -> Manifest:
    """Return the manifest ``reference`` under its other name, with ``plugin`` as its plugin."""
    manifest = import_object(reference)
    if not isinstance(manifest, Manifest):
        raise TypeError(f"{reference} is {type(manifest).__name__}, not a workers.plugin.Manifest")
    return replace(manifest, id=manifest.id + SUFFIX, plugin=plugin)


def plugin_under_test(reference: str) -> type[Any]:
    """Return the plugin's class of the manifest ``reference``, made with a context that halts."""
    plugin: type[Any] = import_object(import_object(reference).plugin)

    def made(self: Any, ctx: Any) -> None:
        plugin.__init__(self, HaltingContext(ctx))

    return type(plugin.__name__, (plugin,), {"__init__": made, "__module__": plugin.__module__})


class HaltingContext:
    """A plugin's context that carries out orders at emits."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx
        self._storage: Path = ctx.storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    async def emit(self, *what: Any, cursor: Any = None) -> Any:
        """Emit, and halt where it is ordered."""
        self._halt("block")
        self._halt("before")
        receipt = await self._ctx.emit(*what, cursor=cursor)
        if what:
            self._halt("after")
            if self._ordered("durable"):
                await receipt
                self._halt("durable")
        return receipt

    def _ordered(self, point: Point) -> bool:
        order = pending(self._storage)
        return order is not None and order.point == point

    def _halt(self, point: Point) -> None:
        order = pending(self._storage)
        if order is None or order.point != point:
            return
        if order.times > 1:
            save_order(self._storage, KillOrder(point, order.times - 1))
        else:
            remove_order(self._storage)
        if point == "block":
            time.sleep(FOR_EVER)
        os.kill(os.getpid(), signal.SIGKILL)


def install(directory: Path, reference: str, name: str) -> None:
    """Install the derived channel ``name`` of ``reference`` in a directory for the import path."""
    package = directory / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text(
        '"""The channel that is tested, under another name."""\n\n'
        f"from {__name__} import manifest_under_test\n\n"
        f'manifest = manifest_under_test("{reference}", "{PACKAGE}.plugin:UnderTest")\n'
    )
    (package / "plugin.py").write_text(
        '"""The plugin that is tested."""\n\n'
        f"from {__name__} import plugin_under_test\n\n"
        f'UnderTest = plugin_under_test("{reference}")\n'
    )
    info = directory / f"{PACKAGE}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[trunkline.channels]\n{name} = {PACKAGE}:manifest\n")
