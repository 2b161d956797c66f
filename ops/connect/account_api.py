"""The runtime as account verbs see it: through ``cli.sock`` here, through a gateway anywhere.

Two implementations of one small interface, so that a verb is written once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from ipc.errors import PeerGone
from ops.connect import gateway as gateways
from ops.connect import supervisor as clients
from ops.connect.selection import EVERY
from ops.exits import Exit, OperatorError

if TYPE_CHECKING:
    from ipc.frames.websocket import Event
    from ipc.websocket.client import Client
    from ipc.websocket.reconnecting import ReconnectingClient
    from runtime.config.places import Places

Verb = Literal["start", "stop", "restart", "reset", "drain"]
DRAIN_MARGIN = 20.0  # seconds beyond the drain, for the stop after it
Row = dict[str, Any]


class Reach(Protocol):
    """What can be done to accounts, wherever they are."""

    @property
    def client(self) -> Client | ReconnectingClient:
        """The way there."""

    async def status(self) -> Row:
        """Return ``supervisor``, ``gateway`` and ``accounts`` as far as they are known."""

    async def act(
        self, verb: Verb, targets: Sequence[str], reason: str | None, timeout: float
    ) -> list[Row]:
        """Do ``verb`` to each account and return a row for each."""


class Here:
    """The supervisor of this state directory."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def status(self) -> Row:
        """Return the supervisor's own status."""
        found: Row = await self.client.call("supervisor.status", {})
        return found

    async def act(
        self, verb: Verb, targets: Sequence[str], reason: str | None, timeout: float
    ) -> list[Row]:
        """Have the supervisor do it."""
        params: Row = {"accounts": list(targets)}
        if reason is not None:
            params["reason"] = reason
        if verb == "drain":
            params["timeoutMs"] = round(timeout * 1000)
            timeout += DRAIN_MARGIN
        answer = await self.client.call(f"channels.{verb}", params, timeout=timeout)
        rows: list[Row] = answer["results"]
        return rows


class There:
    """A gateway at a URL, with OpenClaw's methods: one account per request."""

    def __init__(self, client: ReconnectingClient) -> None:
        self.client = client

    async def status(self) -> Row:
        """Return what ``channels.status`` tells about each account."""
        answer = await self.client.call("channels.status", {})
        rows = [
            _row(channel, snapshot)
            for channel, snapshots in answer["channelAccounts"].items()
            for snapshot in snapshots
        ]
        return {"supervisor": None, "gateway": self._gateway(), "accounts": rows}

    def _gateway(self) -> Row:
        server = self.client.hello.get("server") or {}
        return {"phase": "running", "connected": True, "version": server.get("version")}

    async def act(
        self, verb: Verb, targets: Sequence[str], reason: str | None, timeout: float
    ) -> list[Row]:
        """Ask for one account after the other: accounts of other channels do not wait."""
        keys = await self._keys(targets)
        return list(await asyncio.gather(*(self._one(verb, key, timeout) for key in keys)))

    async def _one(self, verb: Verb, key: str, timeout: float) -> Row:
        channel, _, account = key.partition(":")
        params = {"channel": channel, "accountId": account}
        answer: Row = await self.client.call(f"channels.{verb}", params, timeout=timeout)
        outcome = answer.get("outcome") or {}
        skipped = outcome.get("status") == "skipped" and outcome.get("reason") != "task-owned"
        return {
            "account": key,
            "ok": not skipped,
            "outcome": outcome.get("status") or ("stopped" if verb == "stop" else verb),
            "reason": outcome.get("reason"),
        }

    async def _keys(self, targets: Sequence[str]) -> list[str]:
        if all(":" in target for target in targets):
            return list(targets)
        known = [row["account"] for row in (await self.status())["accounts"]]
        chosen = [
            key
            for target in targets
            for key in ([target] if ":" in target else known)
            if target in (EVERY, key, key.partition(":")[0])
        ]
        if not chosen:
            raise OperatorError(f"no account of {', '.join(targets)}; known: {', '.join(known)}")
        return list(dict.fromkeys(chosen))


def _row(channel: str, snapshot: Row) -> Row:
    """Return a status row from OpenClaw's account snapshot, ours or a stranger's."""
    lifecycle = snapshot.get("lifecycle")
    phase = snapshot.get("phase") or _PHASES.get(str(lifecycle))
    return {
        **snapshot,
        "account": f"{channel}:{snapshot['accountId']}",
        "channel": channel,
        "phase": phase or ("running" if snapshot.get("running") else "stopped"),
        "failures": snapshot.get("failures", snapshot.get("reconnectAttempts")),
    }


_PHASES = {
    "starting": "starting",
    "ready": "running",
    "recovering": "backoff",
    "stopped": "stopped",
    "blocked": "failed",
}  # OpenClaw's lifecycle words


@asynccontextmanager
async def reach(
    places: Places,
    url: str | None,
    token: str | None,
    *,
    on_event: Callable[[Event], None] | None = None,
) -> AsyncIterator[Reach]:
    """Open the way to the accounts: the gateway at ``url``, else the local supervisor."""
    if url is None:
        async with clients.supervisor(places, on_event=on_event) as client:
            yield Here(client)
        return
    async with clients.gateway(gateways.elsewhere(url, token), on_event=on_event) as client:
        try:
            yield There(client)
        except PeerGone as error:
            raise OperatorError(f"the gateway at {url} ended: {error}", Exit.ERROR) from error


def payload(event: Event) -> Any:
    """Return the decoded payload of an event."""
    return None if event.payload is msgspec.UNSET else msgspec.json.decode(event.payload)
