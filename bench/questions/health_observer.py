"""Checks that ``health`` is fresh and correct while other clients request it at full speed.

Fast answers are worth nothing when they are old or wrong. A client of its own asks ten times a
second, looks how old the picture is (``ts``), whether all accounts are in it, and holds the frame
against the checked-in schema, and against the published one where the package is there. Meanwhile
one account is stopped and started again, and the time until ``health`` shows it is taken.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

from bench.machine import ROOT
from bench.systems.product import Product
from ipc.websocket.client import Client
from tests.support.daemon import TOKEN
from tests.support.wire import validator

PAUSE = 0.1  # seconds between two looks
HOLD = 0.5  # seconds for which the account is stopped


class HealthObserver:
    """A recorder of ages in ms, faults as texts, and the ms until a change was visible."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.ages: list[float] = []
        self.faults: list[str] = []
        self.shown: list[float] = []
        self._checks = _checks()

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Observe while the block runs."""
        url = f"ws://127.0.0.1:{self._product.daemon.port}"
        watcher = await Client.connect(url, token=TOKEN)
        tasks = [asyncio.create_task(self._look(watcher)), asyncio.create_task(self._change())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._control("start")
            await watcher.close()

    def found(self) -> dict[str, Any]:
        """Return the records as plain data."""
        return {
            "looks": len(self.ages),
            "oldestMs": max(self.ages, default=0.0),
            "faults": self.faults[:10],
            "shownMs": self.shown,
        }

    async def _look(self, watcher: Client) -> None:
        while True:
            payload = await watcher.call("health")
            self.ages.append(time.time() * 1e3 - payload["ts"])
            accounts = payload["channels"]["source"]["accounts"]
            if len(accounts) != len(self._product.keys):
                self.faults.append(f"{len(accounts)} accounts of {len(self._product.keys)}")
            for check in self._checks:
                self.faults += [error.message[:200] for error in check(payload)]
            await asyncio.sleep(PAUSE)

    async def _change(self) -> None:
        """Stop and start the last account, and record how soon ``health`` shows it."""
        url = f"ws://127.0.0.1:{self._product.daemon.port}"
        client = await Client.connect(url, token=TOKEN)
        try:
            for verb, running in (("stop", False), ("start", True)):
                await asyncio.sleep(HOLD / 2)
                begun = time.monotonic()
                await self._control(verb)
                while await self._runs(client) is not running:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.002)
                self.shown.append((time.monotonic() - begun) * 1e3)
        finally:
            await client.close()

    async def _control(self, verb: str) -> None:
        accounts = self._product.keys[-1:]
        await self._product.daemon.call(f"channels.{verb}", {"accounts": accounts})

    async def _runs(self, client: Client) -> bool:
        payload = await client.call("health")
        name = self._product.keys[-1].partition(":")[2]
        return bool(payload["channels"]["source"]["accounts"][name]["running"])


def _checks() -> list[Any]:
    """Return functions that list the errors of a ``health`` payload."""
    ours = json.loads((ROOT / "docs" / "schema.json").read_text())
    one = {"anyOf": [{"$ref": "#/$defs/fromGateway"}]}
    frame = jsonschema.Draft202012Validator(ours | one)

    def as_frame(payload: Any) -> list[Any]:
        answer = {"type": "res", "id": "1", "ok": True, "payload": payload}
        return list(frame.iter_errors(msgspec.to_builtins(answer)))

    checks = [as_frame]
    folder = Path(os.environ.get("BENCH_OPENCLAW", "")) / "node_modules/@openclaw/gateway-protocol"
    if (folder / "protocol.schema.json").exists():
        published = validator(str(folder), "Snapshot.health")
        checks.append(lambda payload: list(published.iter_errors(payload)))
    return checks
