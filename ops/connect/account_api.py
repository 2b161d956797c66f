"""Reads and controls accounts over one connection, to the supervisor or to a gateway.

Both have methods of the same names. A request to the supervisor may name any number of accounts
and is answered with a row for each; a gateway takes one account, like OpenClaw's. Everything else
about the verbs is common and implemented here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from ipc.errors import PeerGone, RemoteError
from ipc.frames.websocket import Event
from ipc.frames.words import AGENT, Phase, agent_key
from ipc.websocket.client import Client
from ipc.websocket.inbox import OnEvent
from ipc.websocket.reconnecting import ReconnectingClient
from ops.connect.gateway import address_of, connected_gateway
from ops.connect.places import places_of
from ops.connect.selection import EVERY
from ops.connect.supervisor import connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError

Verb = Literal["start", "stop", "restart", "reset", "drain"]
Row = dict[str, Any]
DRAIN_MARGIN = 20.0  # seconds beyond the drain, for the stop after it
KEPT = ("incarnation", "persisted")  # of a gateway's answer, as in the supervisor's rows
KEEPS_REASONS = "channels.holds"  # a method of gateways that keep the reason of a stop
# Phases for OpenClaw's lifecycle words, whose rows have no phase.
_PHASES = {
    "starting": Phase.STARTING,
    "ready": Phase.RUNNING,
    "recovering": Phase.BACKOFF,
    "stopped": Phase.STOPPED,
    "blocked": Phase.FAILED,
}


class AccountApi:
    """The requests about accounts: their status and the verbs that control them.

    ``through_gateway`` is true for a connection to a gateway, false for one to the supervisor.
    """

    def __init__(self, client: Client | ReconnectingClient, *, through_gateway: bool) -> None:
        self.client = client
        self._through_gateway = through_gateway

    async def status(self) -> Row:
        """Return the rows ``supervisor``, ``gateway``, ``accounts`` and ``agents``.

        Through a gateway there is no row of the supervisor, and rows of agents have fewer fields.
        """
        if not self._through_gateway:
            found: Row = await self.client.call("supervisor.status", {})
            return {"agents": []} | found  # of an older release
        answer = await self.client.call("channels.status", {})
        server = self.client.hello.get("server") or {}
        return {
            "supervisor": None,
            "gateway": {
                "phase": Phase.RUNNING,
                "connected": True,
                "version": server.get("version"),
            },
            "accounts": [
                _status_row(channel, snapshot)
                for channel, snapshots in answer["channelAccounts"].items()
                for snapshot in snapshots
            ],
            "agents": await self._agents(),
        }

    async def _agents(self) -> list[Row]:
        """Return a row for each agent with a process at a gateway; OpenClaw's agents have none."""
        if "agents.list" not in (self.client.hello.get("features") or {}).get("methods", ()):
            return []
        listed = (await self.client.call("agents.list", {})).get("agents") or []
        return [
            {"account": agent_key(agent["id"]), "channel": AGENT} | agent
            for agent in listed
            if "phase" in agent
        ]

    async def control(
        self, verb: Verb, targets: Sequence[str], reason: str | None, timeout: float
    ) -> list[Row]:
        """Apply ``verb`` to each account of ``targets``; return a row for each.

        ``targets`` are keys, channel names or ``*``; ``timeout`` is in seconds, for each request.
        The row of a restart has the ``incarnation`` that is replaced.
        """
        extras: Row = {}
        if reason is not None and self._keeps_reasons():
            extras["reason"] = reason
        if verb == "drain":
            extras["timeoutMs"] = round(timeout * 1000)
            timeout += DRAIN_MARGIN
        if self._through_gateway:
            keys = await self._keys(targets)
            act = self._control_one if len(keys) == 1 else self._try_control_one
            # side by side: accounts of other channels do not wait
            requests = [act(verb, key, extras, timeout) for key in keys]
            return list(await asyncio.gather(*requests))
        params = {"accounts": list(targets)} | extras
        answer = await self.client.call(f"channels.{verb}", params, timeout=timeout)
        rows: list[Row] = answer["results"]
        return rows

    async def start_unknown(self, timeout: float) -> list[Row]:
        """Start every account whose hold is unknown; return a row for each, as ``control`` does."""
        answer = await self.client.call("channels.start.unknown", {}, timeout=timeout)
        rows: list[Row] = answer["results"]
        return rows

    def _keeps_reasons(self) -> bool:
        """Return whether the peer accepts a reason; OpenClaw's gateway refuses the field."""
        features = self.client.hello.get("features") or {}
        return not self._through_gateway or KEEPS_REASONS in features.get("methods", ())

    async def _control_one(self, verb: Verb, key: str, extras: Row, timeout: float) -> Row:
        """Call ``verb`` of the gateway for one account; return a row in the supervisor's form."""
        channel, _, account = key.partition(":")
        params = {"channel": channel, "accountId": account} | extras
        answer: Row = await self.client.call(f"channels.{verb}", params, timeout=timeout)
        outcome = answer.get("outcome") or {}
        skipped = outcome.get("status") == "skipped" and outcome.get("reason") != "task-owned"
        row = {
            "account": key,
            "ok": not skipped,
            "outcome": outcome.get("status") or ("stopped" if verb == "stop" else verb),
            "reason": outcome.get("reason"),
        }
        return row | {name: answer[name] for name in KEPT if name in answer}

    async def _try_control_one(self, verb: Verb, key: str, extras: Row, timeout: float) -> Row:
        """Call ``_control_one``, and return a row for a refusal, too, so that others go on."""
        try:
            return await self._control_one(verb, key, extras, timeout)
        except RemoteError as error:
            return {"account": key, "ok": False, "outcome": "refused", "error": error.message}

    async def _keys(self, targets: Sequence[str]) -> list[str]:
        """Return the keys of the accounts that ``targets`` names, without duplicates."""
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
            from runtime.config.wording import known_names  # late: only what is wrong needs it

            text = f"no account of {', '.join(targets)}{known_names(targets[0], known)}"
            raise OperatorError(text)
        return list(dict.fromkeys(chosen))


@asynccontextmanager
async def connected_account_api(
    target: RuntimeTarget, *, on_event: OnEvent | None = None
) -> AsyncIterator[AccountApi]:
    """Connect to the gateway at the target's URL, or without one to this host's supervisor."""
    if target.url is None:
        async with connected_supervisor(places_of(target), on_event=on_event) as client:
            yield AccountApi(client, through_gateway=False)
        return
    async with connected_gateway(await address_of(target), on_event=on_event) as gateway:
        try:
            yield AccountApi(gateway, through_gateway=True)
        except PeerGone as error:
            text = f"the gateway at {target.url} ended: {error}"
            raise OperatorError(text, ExitCode.ERROR) from error


def payload_of(event: Event) -> Any:
    """Return the decoded payload of an event; ``None`` if it has none."""
    return None if event.payload is msgspec.UNSET else msgspec.json.decode(event.payload)


def _status_row(channel: str, snapshot: Row) -> Row:
    """Convert a gateway's account snapshot, in OpenClaw's form, to a status row."""
    phase = snapshot.get("phase") or _PHASES.get(str(snapshot.get("lifecycle")))
    return {
        **snapshot,
        "account": f"{channel}:{snapshot['accountId']}",
        "channel": channel,
        "phase": phase or (Phase.RUNNING if snapshot.get("running") else Phase.STOPPED),
        "failures": snapshot.get("failures", snapshot.get("reconnectAttempts")),
    }
