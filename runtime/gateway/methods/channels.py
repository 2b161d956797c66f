"""Shows the state of channels; starts, stops and restarts their accounts; logs them out.

The supervisor starts and stops accounts: the request goes to it over its link, and the change
comes back as a report.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from msgspec import Meta

from ipc.errors import IpcError, RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, Phase
from ipc.nesting import decode_json
from runtime.config.access_policy import closed_doors
from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.accounts.account_calls import AN_OBJECT, ANYTHING, AccountCalls, read_answer
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Repeat, method
from runtime.gateway.methods.asking import add_note, ask_for
from runtime.gateway.parts import GatewayParts

LOGOUT_SECONDS = 30.0
Name = Annotated[str, Meta(min_length=1, max_length=64)]


class ChannelTargetParams(Params):
    """The params that name one account, the channel's default one without ``account_id``.

    ``reason`` is ours: it is kept with the hold.
    """

    channel: Name
    account_id: Name | None = None
    reason: Annotated[str, Meta(max_length=500)] | None = None


class ChannelsStatusParams(Params):
    """The params of ``channels.status``: ``probe`` asks each platform for ``timeout_ms``."""

    probe: bool = False
    timeout_ms: Annotated[int, Meta(ge=0, le=600_000)] = 10_000
    channel: Name | None = None


@method("channels.status", READ, ChannelsStatusParams)
async def channels_status(
    parts: GatewayParts, client: ConnectedClient, params: ChannelsStatusParams
) -> Any:
    """Answer with a summary and all accounts of each channel."""
    accounts = parts.accounts
    if params.channel is not None and params.channel not in accounts.channels:
        raise RemoteError(INVALID_REQUEST, "invalid channels.status channel")
    probes = await _probe_all(parts, params) if params.probe else {}
    answer = parts.health.channels_status(client.protocol, params.channel, probes)
    _add_admission(parts, answer)
    return answer


@method("channels.start", ADMIN, ChannelTargetParams, repeat=Repeat.ALWAYS)
async def channels_start(
    parts: GatewayParts, client: ConnectedClient, params: ChannelTargetParams
) -> Any:
    """Start an account at once, even in a backoff, and release its hold."""
    row, answer = await _ask(parts, client, "channels.start", params)
    return answer | {"started": _was_started(row), "outcome": _outcome(row)}


@method("channels.stop", ADMIN, ChannelTargetParams, repeat=Repeat.ALWAYS)
async def channels_stop(
    parts: GatewayParts, client: ConnectedClient, params: ChannelTargetParams
) -> Any:
    """Stop an account and hold it stopped, also over restarts. `persisted` (ours) is false if the
    hold could not be saved.
    """
    row, answer = await _ask(parts, client, "channels.stop", params)
    answer["stopped"] = True
    if row.get("persisted") is False:
        answer["persisted"] = False
    return answer


@method("channels.restart", ADMIN, ChannelTargetParams, ours=True)
async def channels_restart(
    parts: GatewayParts, client: ConnectedClient, params: ChannelTargetParams
) -> Any:
    """Replace the account's process. ``incarnation`` is the one that ends."""
    row, answer = await _ask(parts, client, "channels.restart", params)
    if "incarnation" in row:
        answer["incarnation"] = row["incarnation"]
    return answer | {"restarted": _was_started(row), "outcome": _outcome(row)}


@method("channels.logout", ADMIN, ChannelTargetParams)
async def channels_logout(
    parts: GatewayParts, client: ConnectedClient, params: ChannelTargetParams
) -> Any:
    """Log an account out of its platform; it stays stopped until it is started."""
    accounts = parts.accounts
    key = accounts.resolve("channels.logout", params.channel, params.account_id)
    try:
        raw = await parts.calls.call(key, "logout", b"{}", LOGOUT_SECONDS)
    except RemoteError as error:
        if error.code != INVALID_REQUEST:
            raise
        text = f"channel {params.channel} does not support logout"
        raise RemoteError(INVALID_REQUEST, text) from None
    done = bool(read_answer(key, raw, AN_OBJECT).get("loggedOut"))
    if done:
        add_note(parts, client, key, "it was logged out")
    return {
        "channel": params.channel,
        "accountId": key.partition(":")[2],
        "cleared": done,
        "envToken": False,
        "loggedOut": done,
    }


def _add_admission(parts: GatewayParts, answer: dict[str, Any]) -> None:
    """Add the counts of admission decisions to each account, and why it may answer nobody."""
    for channel, shots in answer["channelAccounts"].items():
        for shot in shots:
            key = f"{channel}:{shot['accountId']}"
            policy = parts.gatekeeper.policy_of(key)
            shot |= {"dmPolicy": policy.dm, "groupPolicy": policy.group}
            shot["admission"] = parts.gatekeeper.figures(key)
            if "statusIssues" not in answer or not parts.reception.is_answered(key):
                continue
            answer["statusIssues"] += [
                {
                    "channel": channel,
                    "accountId": shot["accountId"],
                    "kind": "config",
                    "message": reason,
                    "fix": f"see `trunkline channels why {key} SENDER`",
                }
                for reason in closed_doors(policy)
            ]


async def _probe_all(parts: GatewayParts, query: ChannelsStatusParams) -> dict[str, Any]:
    """Return the login states of running accounts, asked from their plugins, by account key."""
    keys = [
        key
        for key, row in parts.accounts.rows.items()
        if row.phase == Phase.RUNNING and query.channel in (None, row.channel)
    ]
    probes = (_probe(parts.calls, key, query.timeout_ms / 1000) for key in keys)
    return dict(zip(keys, await asyncio.gather(*probes), strict=True))


async def _probe(calls: AccountCalls, key: str, seconds: float) -> dict[str, Any]:
    now = asyncio.get_running_loop().time
    began = now()
    try:
        raw = await calls.call(key, "probe", b"{}", seconds)
        answer = read_answer(key, raw, ANYTHING)
        result = answer if isinstance(answer, dict) else {"ok": bool(answer)}
    except IpcError as error:
        result = {"ok": False, "error": str(error)}
    return result | {"elapsedMs": int((now() - began) * 1000)}


async def _ask(
    parts: GatewayParts, client: ConnectedClient, verb: str, params: ChannelTargetParams
) -> tuple[dict[str, Any], dict[str, Any]]:
    key = parts.accounts.resolve_worker(verb, params.channel, params.account_id)
    request: dict[str, Any] = {"accounts": [key]}
    if params.reason is not None:
        request["reason"] = params.reason
    result = decode_json(await ask_for(parts, client, verb, request))
    rows = result.get("results") if isinstance(result, dict) else None
    if not rows:
        raise RemoteError(UNAVAILABLE, f"{verb}: the supervisor gave no result")
    row = rows[0]
    if not row.get("ok") and row.get("outcome") != "skipped":
        raise RemoteError(UNAVAILABLE, row.get("error") or f"{verb} failed", retryable=True)
    return row, {"channel": params.channel, "accountId": key.partition(":")[2]}


def _was_started(row: dict[str, Any]) -> bool:
    return row.get("outcome") == "handed-off" or row.get("reason") == "task-owned"


def _outcome(row: dict[str, Any]) -> dict[str, Any]:
    outcome = {"status": row.get("outcome") or "handed-off"}
    if row.get("reason"):
        outcome["reason"] = row["reason"]
    return outcome
