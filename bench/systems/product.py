"""The product: the real daemon with accounts of the channel ``source``, nothing switched off."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import msgspec

from bench.checkout import Checkout, has_journal
from bench.source import install
from bench.systems.system import Entry, Order, Processes
from bench.tied import TiedDaemon
from ipc.errors import RemoteError
from ipc.websocket.client import Client
from ipc.websocket.connect import OPERATOR
from tests.support.daemon import TOKEN
from tests.support.short_directory import ShortDirectory

PATIENT = {"initialSeconds": 0.2, "maximumSeconds": 0.2, "jitter": 0, "slowAfter": 200}
AT_A_TIME = 100  # calls of one client; the gateway refuses more than 256


def connect_request(caps: tuple[str, ...] = ("channel-events",)) -> str:
    """Return the ``connect`` request of a client."""
    params = {
        "minProtocol": 3,
        "maxProtocol": 4,
        # What is local, in the backend and has the token keeps its scopes without a device.
        "client": {
            "id": "gateway-client",
            "version": "bench",
            "platform": "linux",
            "mode": "backend",
        },
        "role": "operator",
        "scopes": OPERATOR,
        "caps": caps,
        "auth": {"token": TOKEN},
    }
    request = {"type": "req", "id": "connect", "method": "connect", "params": params}
    return msgspec.json.encode(request).decode()


class Product:
    """The daemon with ``accounts`` sources; ``config`` is merged into its configuration.

    ``checkout`` is whose product it is; this one's where it is left out.
    """

    name = "trunkline"

    def __init__(
        self, accounts: int = 4, *, checkout: Checkout | None = None, **config: Any
    ) -> None:
        self._checkout = checkout
        self.keys = [f"source:w{number}" for number in range(accounts)]
        self._config = config
        self._numbers = itertools.count(1)
        self.daemon: TiedDaemon
        self._client: Client

    async def start(self) -> None:
        """Start the daemon and wait until every account is ready."""
        self._place = ShortDirectory()
        site = self._place.path / "site"
        site.mkdir()
        own: dict[str, Any] = {
            "channels": {"source": {"accounts": {key[7:]: {} for key in self.keys}}},
            "agents": {"default": "none"},
            "supervisor": {"restart": PATIENT},
        }
        merged = own | self._config
        merged["channels"] = own["channels"] | self._config.get("channels", {})
        if has_journal(self._checkout or Checkout.this()):
            # What is compared keeps nothing on a disk; ``bench.journal`` measures the journal.
            merged["channels"]["source"]["journal"] = "off"
        place = self._place.path
        self.daemon = TiedDaemon(place, merged, checkout=self._checkout, site=install(site))
        try:
            await self._begin()
        except BaseException:
            self.daemon.kill()
            raise

    async def _begin(self) -> None:
        await self.daemon.start()
        status = await self.daemon.wait(
            lambda s: all(s["accounts"][key]["phase"] == "running" for key in self.keys)
        )
        self._client = await self.daemon.client(caps=())
        rows = status["accounts"]
        workers = [rows[key]["pid"] for key in self.keys]
        gateway = status["gateway"]["pid"]
        others = {one.pid for one in self.daemon.family()} - {gateway, *workers}
        self._processes = Processes([gateway], workers, sorted(others))

    async def stop(self) -> None:
        """End everything."""
        await self._client.close()
        await self.daemon.__aexit__()
        self._place.cleanup()

    def entry(self, *, events: bool = True) -> Entry:
        """Return how clients connect."""
        caps = ("channel-events",) if events else ()
        return Entry(self.daemon.port, connect=connect_request(caps))

    async def order(self, key: str, text: str) -> None:
        """Send one account an order, and wait for its answer."""
        channel, _, account = key.partition(":")
        params = {
            "channel": channel,
            "accountId": account,
            "to": "bench",
            "message": text,
            "idempotencyKey": f"order-{next(self._numbers)}",
        }
        await self._client.call("send", params)

    async def emit(self, order: Order) -> None:
        """Let the first accounts emit."""
        text = f"rate={order.rate} bytes={order.size}"
        await self._each(self.keys[: order.workers], text)

    async def silence(self) -> None:
        """Stop all; an account that is down is silent anyway."""
        with contextlib.suppress(RemoteError):
            await self._each(self.keys, "rate=0")

    async def _each(self, keys: list[str], text: str) -> None:
        """Give all the same order, as many at a time as one client may ask."""
        found: list[BaseException | None] = []
        for at in range(0, len(keys), AT_A_TIME):
            some = (self.order(key, text) for key in keys[at : at + AT_A_TIME])
            found += await asyncio.gather(*some, return_exceptions=True)
        for error in found:
            if error is not None:
                raise error

    def processes(self) -> Processes:
        """Return the processes that run."""
        return self._processes
