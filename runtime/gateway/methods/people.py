"""Shows and decides who may talk to an account: ``channels.pairing.*``, ``channels.why``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

import msgspec
import structlog
from msgspec import Meta

from ipc.epoch import now_ms
from ipc.errors import IpcError, RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.token_bucket import TokenBucket
from runtime.gateway.access.scopes import ADMIN, PAIRING, READ
from runtime.gateway.access_policy.admit import REASONS, AdmissionOutcome, Decision, admit
from runtime.gateway.access_policy.pairing import (
    MAX_PENDING,
    approved,
    blocked,
    forgotten,
    new_request,
    with_code,
    with_id,
)
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method, missing_scope
from runtime.gateway.journal.people import PENDING_MS, Person
from runtime.gateway.methods.asking import add_note, ask_for
from runtime.gateway.methods.channels import Name
from runtime.gateway.parts import GatewayParts
from workers.messages import Chat, Id, Inbound, Outbound, Sender

GUESSES = 5  # wrong codes a minute of one client
OPEN_SECONDS = 5.0  # until a new gateway has opened its journal
OWNER_SECONDS = 60.0  # until the configuration is written
WELCOME = "The owner of this account has approved you."

log = structlog.get_logger("gateway.access")

_guesses: WeakKeyDictionary[ConnectedClient, TokenBucket] = WeakKeyDictionary()


class PairingListParams(Params):
    """The params of ``channels.pairing.list``: one channel, or all."""

    channel: Name | None = None


class PairingApproveParams(Params):
    """The params of ``channels.pairing.approve``: a request by its id, or (ours) by its code.

    ``notify``: the person gets a message. ``bootstrap_command_owner``: the person becomes an owner,
    too, if there is none yet. ``unverified`` (ours) admits a sender for whom the platform does not
    vouch: every sender who uses that name is admitted with it.
    """

    channel: Name | None = None
    account_id: Name | None = None
    request_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    code: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    notify: bool = False
    bootstrap_command_owner: bool = False
    unverified: bool = False


class PairingDismissParams(Params):
    """The params of ``channels.pairing.dismiss``."""

    channel: Name
    request_id: Annotated[str, Meta(min_length=1, max_length=64)]
    account_id: Name | None = None


class PersonParams(Params):
    """The params that name a sender of one account."""

    channel: Name
    sender_id: Id
    account_id: Name | None = None


class WhyParams(PersonParams):
    """The params of ``channels.why``: a sender, in a direct chat or in the group ``chat``.

    ``thread`` is one of the chat's threads or topics, ``guild`` the server to which a Discord
    channel belongs; ``roles`` are the sender's.
    """

    chat: Id | None = None
    thread: Id | None = None
    guild: Id | None = None
    roles: Annotated[list[Id], Meta(max_length=1024)] = []


@method("channels.pairing.list", PAIRING, PairingListParams)
async def pairing_list(
    parts: GatewayParts, client: ConnectedClient, params: PairingListParams
) -> Any:
    """Answer with the pending requests of strangers. `people` (ours) lists whom the owner has
    approved or blocked.
    """
    keys = await _keys(parts, params.channel)
    now = now_ms()
    requests, people, accounts = [], [], []
    for key in keys:
        if parts.gatekeeper.policy_of(key).dm == "pairing":
            accounts.append(_account(parts, key) | {"notifySupported": True})
        for person in (await parts.gatekeeper.people_of(key)).values():
            if person.waits(now):
                requests.append(_request(parts, key, person))
            elif person.state != "pending":
                people.append(_person(key, person))
    return {
        "accounts": accounts,
        "requests": sorted(requests, key=lambda each: str(each["createdAt"])),
        "commandOwnerConfigured": parts.reception.has_owner,
        "limits": {"pendingPerAccount": MAX_PENDING, "ttlMs": PENDING_MS},
        "people": people,
    }


@method("channels.pairing.approve", PAIRING, PairingApproveParams)
async def pairing_approve(
    parts: GatewayParts, client: ConnectedClient, params: PairingApproveParams
) -> Any:
    """Admit the person who made a request. `code` and `unverified` are ours. With
    `bootstrapCommandOwner`, which needs `operator.admin`, the person is the first owner.
    """
    if params.bootstrap_command_owner and not client.covers(ADMIN):
        raise missing_scope(ADMIN, client.protocol)
    if (params.request_id is None) == (params.code is None):
        raise RemoteError(INVALID_REQUEST, "give one of requestId and code")
    key, person = await _find_request(parts, client, params)
    if not person.verified and not params.unverified:
        raise RemoteError(
            INVALID_REQUEST,
            f"{key.partition(':')[0]} does not vouch for {person.sender}: whoever uses that name "
            "would be admitted; to do so all the same, set unverified (`--unverified`)",
        )
    await parts.gatekeeper.store_person(key, approved(person, now_ms()))
    add_note(parts, client, key, "a person who waited was let in")
    notification = owner = "not-requested"
    if params.bootstrap_command_owner:
        owner = await _first_owner(parts, client, key, person)
    if params.notify:
        message = Outbound(to=person.chat, text=WELCOME, key=f"paired:{person.id}")
        await parts.outbox.send(key, message, queue=True)
        notification = "queued"
    return {
        "requestId": person.id,
        "senderId": person.sender,
        "notification": notification,
        "commandOwnerBootstrap": owner,
        "account": key,
    }


async def _first_owner(
    parts: GatewayParts, client: ConnectedClient, key: str, person: Person
) -> str:
    """Add an approved person as the owner where there is none; return the outcome.

    The words are OpenClaw's. What fails does not take the approval back.
    """
    if parts.reception.has_owner:
        return "already-configured"
    if not person.verified:
        return "unavailable"  # any user of that name would be an owner
    owners = [f"{key.partition(':')[0]}:{person.sender}"]
    patch = msgspec.json.encode({"commands": {"ownerAllowFrom": owners}}).decode()
    try:
        before = await parts.supervisor.ask("config.get", {}, OWNER_SECONDS)
        given = {"raw": patch, "baseHash": before["hash"]}
        await ask_for(parts, client, "config.patch", given, OWNER_SECONDS)
    except IpcError as error:
        log.warning("an approved person was not made an owner", account=key, error=str(error))
        return "unavailable"
    return "configured"


@method("channels.pairing.dismiss", PAIRING, PairingDismissParams)
async def pairing_dismiss(
    parts: GatewayParts, client: ConnectedClient, params: PairingDismissParams
) -> Any:
    """Drop a request; the person may ask again."""
    key, people = await _resolve_people(parts, "channels.pairing.dismiss", params)
    person = with_id(people.values(), params.request_id, now_ms())
    if person is None:
        raise RemoteError(INVALID_REQUEST, "pending DM access request no longer exists")
    await parts.gatekeeper.store_person(key, forgotten(person))
    add_note(parts, client, key, "the request of a person who waited was dropped")
    return {"requestId": person.id, "senderId": person.sender}


@method("channels.pairing.block", PAIRING, PersonParams, ours=True)
async def pairing_block(parts: GatewayParts, client: ConnectedClient, params: PersonParams) -> Any:
    """Never answer a person again, in direct chats and in groups, whoever else is admitted."""
    key, _ = await _resolve_people(parts, "channels.pairing.block", params)
    before = parts.gatekeeper.person(key, params.sender_id)
    await parts.gatekeeper.store_person(key, blocked(params.sender_id, before, now_ms()))
    add_note(parts, client, key, "a person was blocked")
    return {"account": key, "senderId": params.sender_id, "state": "blocked"}


@method("channels.pairing.unblock", PAIRING, PersonParams, ours=True)
async def pairing_unblock(
    parts: GatewayParts, client: ConnectedClient, params: PersonParams
) -> Any:
    """Remove the decision about a person, blocked or approved: the person may request again."""
    key, _ = await _resolve_people(parts, "channels.pairing.unblock", params)
    person = parts.gatekeeper.person(key, params.sender_id)
    if person is None:
        raise RemoteError(INVALID_REQUEST, f"nothing was decided about {params.sender_id}")
    await parts.gatekeeper.store_person(key, forgotten(person))
    add_note(parts, client, key, "what was decided about a person was forgotten")
    return {"account": key, "senderId": params.sender_id, "state": "unknown"}


@method("channels.why", READ, WhyParams, ours=True)
async def channels_why(parts: GatewayParts, client: ConnectedClient, params: WhyParams) -> Any:
    """Answer with what happens to a message of a sender, and by which line of the configuration.

    `cases` has the cases that decide: whether the platform vouches for the sender, and in groups
    whether the message names the account. Of what is answered each has the `agent` that is asked,
    where that is configured, and what each of the `bindings` says.
    """
    key = parts.accounts.resolve("channels.why", params.channel, params.account_id)
    await _journal_open(parts)
    people = await parts.gatekeeper.people_of(key)
    person = parts.gatekeeper.person(key, params.sender_id)
    kind: Literal["direct", "group"] = "direct" if params.chat is None else "group"
    meta = {"guild": params.guild, "roles": params.roles}
    cases = []
    for verified in (True, False):
        for named in (True,) if kind == "direct" else (True, False):
            message = Inbound(
                id="why",
                chat=Chat(params.chat or params.sender_id, kind),
                sender=Sender(params.sender_id, verified=verified),
                text="",
                ts=now_ms(),
                addressed=named,
                thread=params.thread,
                meta=meta,
            )
            decision = admit(parts.gatekeeper.policy_of(key), person, message)
            case: dict[str, Any] = {"verified": verified, "addressed": named}
            asked: dict[str, Any] = {}
            if decision.outcome is AdmissionOutcome.RUN:
                decision, asked = _route(parts, key, message, decision)
            elif decision.outcome is AdmissionOutcome.PAIR:
                decision = _invited(decision, person, people.values(), message)
            case |= {"outcome": decision.outcome, "reason": decision.reason}
            words = {"text": REASONS[decision.reason], "configured": decision.source}
            cases.append(case | words | asked)
    place = {"chat": params.chat, "thread": params.thread}
    return {"account": key, "senderId": params.sender_id, **place, "cases": cases}


def _invited(
    decision: Decision, person: Person | None, people: Iterable[Person], message: Inbound
) -> Decision:
    """Return what becomes of a stranger's message: a code, or nothing where others wait."""
    found = new_request(person, people, message, message.ts, "", "")
    if isinstance(found, Person):
        return decision
    return Decision(AdmissionOutcome.DROP, found, decision.source)


def _route(
    parts: GatewayParts, key: str, message: Inbound, decision: Decision
) -> tuple[Decision, dict[str, Any]]:
    """Return the decision about an admitted message, with the agent that answers it."""
    route, bindings = parts.reception.explain_route(key, message)
    if not route.answered:
        return Decision(AdmissionOutcome.DROP, "no-agent", route.source), {"bindings": bindings}
    away = parts.agents.is_gone(route.agent)
    agent = {"agent": route.agent, "route": route.reason, "routedBy": route.source}
    return decision, agent | {"agentRuns": not away, "bindings": bindings}


async def _journal_open(parts: GatewayParts) -> None:
    """Wait until the people that the journal has can be read, where there is a journal.

    Raises ``RemoteError`` when that takes long: an approved person would seem to be a stranger.
    """
    await parts.intake.wait_until_open(OPEN_SECONDS)
    if parts.intake.journal is not None and not parts.intake.ready:
        why = f": {parts.intake.fault}" if parts.intake.fault else ""
        text = f"the journal, which knows who was approved, is not open yet{why}"
        raise RemoteError(UNAVAILABLE, text, retryable=True)


async def _keys(parts: GatewayParts, channel: str | None) -> list[str]:
    """Return the accounts of a channel, or all; their journal is open."""
    if channel is not None and channel not in parts.accounts.channels:
        raise RemoteError(INVALID_REQUEST, f"Error: unknown pairing channel: {channel}")
    await _journal_open(parts)
    rows = parts.accounts.rows.values()
    return [row.account for row in rows if channel in (None, row.channel)]


async def _find_request(
    parts: GatewayParts, client: ConnectedClient, params: PairingApproveParams
) -> tuple[str, Person]:
    """Find a request by id or code; a client that guesses codes is slowed down."""
    keys = await _keys(parts, params.channel)
    if params.account_id is not None:
        if params.channel is None:
            raise RemoteError(INVALID_REQUEST, "accountId needs a channel")
        keys = [parts.accounts.resolve("pairing", params.channel, params.account_id)]
    now, seconds = now_ms(), asyncio.get_running_loop().time()
    bucket = _guesses.setdefault(client, TokenBucket(GUESSES, GUESSES / 60, seconds))
    if params.code is not None and not bucket.reserve(seconds):
        raise RemoteError(UNAVAILABLE, "too many wrong codes; wait a minute", retryable=True)
    for key in keys:
        people = (await parts.gatekeeper.people_of(key)).values()
        if params.code is not None:
            person = with_code(people, params.code, now)
        else:
            person = with_id(people, params.request_id or "", now)
        if person is not None:
            if params.code is not None:
                _guesses[client] = TokenBucket(GUESSES, GUESSES / 60, seconds)
            return key, person
    if params.code is None:
        raise RemoteError(INVALID_REQUEST, "pending DM access request no longer exists")
    raise RemoteError(
        INVALID_REQUEST,
        f"no open request has the code {params.code}: codes are valid for an hour; "
        "`trunkline pairing list` shows who waits",
    )


async def _resolve_people(
    parts: GatewayParts, verb: str, params: PairingDismissParams | PersonParams
) -> tuple[str, dict[str, Person]]:
    """Return the key of the named account, and its known people.

    Raises ``RemoteError`` for one without a journal, which remembers nobody.
    """
    key = parts.accounts.resolve(verb, params.channel, params.account_id)
    await _journal_open(parts)
    if not parts.intake.is_on(key):
        raise RemoteError(UNAVAILABLE, f"{key} has no journal, in which people are remembered")
    return key, await parts.gatekeeper.people_of(key)


def _account(parts: GatewayParts, key: str) -> dict[str, Any]:
    channel, _, account = key.partition(":")
    return {"channel": channel, "channelLabel": parts.accounts.label(key), "accountId": account}


def _request(parts: GatewayParts, key: str, person: Person) -> dict[str, Any]:
    metadata = {"name": person.name} if person.name else {}
    return _account(parts, key) | {
        "requestId": person.id,
        "senderId": person.sender,
        "senderLabel": f"{key.partition(':')[0]}UserId",
        "metadata": metadata,
        "createdAt": _iso(person.created),
        "lastSeenAt": _iso(person.seen),
        "expiresAt": _iso(person.expires),
        "notifySupported": True,
        "verified": person.verified,
    }


def _person(key: str, person: Person) -> dict[str, Any]:
    shown = msgspec.to_builtins(person)
    return {"account": key, "senderId": person.sender, "state": person.state} | {
        name: shown[name] for name in ("name", "verified", "created") if name in shown
    }


def _iso(at: int) -> str:
    when = datetime.fromtimestamp(at / 1000, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
