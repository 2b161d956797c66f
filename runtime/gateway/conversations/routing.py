"""Decides which agent answers a message, and by which line of the configuration. Pure.

Of the bindings that match in all of their fields the most exact one counts, and of equally exact
ones the first in the file. Where none matches, the account's field ``agent`` counts, then
``agents.default``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum

import msgspec

from runtime.config.access_policy import UNVERIFIED
from runtime.config.sessions import ANY, BindingConfig, BindingMatch, PeerMatch
from runtime.gateway.conversations.origins import Origin

NOBODY = "none"  # the id of no agent: what is routed to it is not answered


class Tier(IntEnum):
    """The specificity of a binding, the most specific first, in OpenClaw's order."""

    PEER = 1  # the person, the group, or the thread
    PARENT_PEER = 2  # the group to which the thread belongs
    PEER_WILDCARD = 3
    GUILD_ROLES = 4
    GUILD = 5
    TEAM = 6
    ACCOUNT = 7
    CHANNEL = 8


TIERS = {
    Tier.PEER: "by its chat",
    Tier.PARENT_PEER: "by the chat of its thread",
    Tier.PEER_WILDCARD: "by its kind of chat",
    Tier.GUILD_ROLES: "by its server and the sender's roles",
    Tier.GUILD: "by its server",
    Tier.TEAM: "by its workspace",
    Tier.ACCOUNT: "by its account",
    Tier.CHANNEL: "by its channel",
}


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """The agent that answers if no binding matches.

    ``account_agent`` is the field ``agent`` of the account or its channel, set at ``account_line``.
    ``default_account`` is the channel's, which bindings without an account mean.
    """

    default_agent: str
    account_agent: str | None = None
    account_line: str = ""
    default_account: str | None = None


class Route(msgspec.Struct, frozen=True):
    """The agent that answers, the place of that setting, and the reason in a sentence."""

    agent: str
    source: str
    reason: str
    tier: Tier | None = None

    @property
    def answered(self) -> bool:
        """Whether any agent answers."""
        return self.agent != NOBODY


def route(bindings: Sequence[BindingConfig], origin: Origin, fallback: Fallback) -> Route:
    """Return which agent answers a message."""
    best: tuple[Tier, int] | None = None
    for number, binding in enumerate(bindings):
        if next(_mismatches(binding.match, origin, fallback), None) is None:
            found = (_tier(binding.match, origin), number)
            best = found if best is None else min(best, found)
    if best is not None:
        tier, number = best
        agent = bindings[number].agent_id
        return Route(agent, f"bindings[{number}]", _reason(agent, TIERS[tier]), tier)
    if fallback.account_agent is not None:
        return Route(
            fallback.account_agent,
            fallback.account_line,
            _reason(fallback.account_agent, "by its account's own field"),
        )
    agent = fallback.default_agent
    return Route(agent, "agents.default", _reason(agent, "by default"))


def explain(bindings: Sequence[BindingConfig], origin: Origin, fallback: Fallback) -> list[str]:
    """Return a line for each binding that explains why it matches or does not."""
    chosen = route(bindings, origin, fallback)
    lines = []
    for number, binding in enumerate(bindings):
        name = f"bindings[{number}]"
        wrong = list(_mismatches(binding.match, origin, fallback))
        if wrong:
            said = f"does not match: {'; '.join(wrong)}"
        elif name == chosen.source:
            said = f"counts: {chosen.reason}"
        else:
            said = f"matches {TIERS[_tier(binding.match, origin)]}, but {chosen.source} goes first"
        lines.append(f"{name} ({binding.agent_id}) {said}")
    if chosen.tier is None:
        lines.append(f"{chosen.source} counts: {chosen.reason}")
    return lines


def _reason(agent: str, how: str) -> str:
    return f"the message goes to {agent} {how}" if agent != NOBODY else f"no agent answers {how}"


def _tier(match: BindingMatch, origin: Origin) -> Tier:
    """Return the specificity of a matching binding."""
    if match.peer is not None:
        if match.peer.id == ANY:
            return Tier.PEER_WILDCARD
        inside = origin.kind != "direct" and origin.thread is not None and match.thread is None
        parent = inside and _same(origin, match.peer.id, origin.chat)
        return Tier.PARENT_PEER if parent else Tier.PEER
    if match.guild_id is not None:
        return Tier.GUILD if match.roles is None else Tier.GUILD_ROLES
    if match.team_id is not None:
        return Tier.TEAM
    return Tier.CHANNEL if match.account_id == ANY else Tier.ACCOUNT


def _mismatches(match: BindingMatch, origin: Origin, fallback: Fallback) -> Iterator[str]:
    """Yield for each field that does not match the required value and the message's value."""
    if match.channel != origin.channel:
        yield f"channel is {match.channel}, the message is of {origin.channel}"
        return
    account = fallback.default_account if match.account_id is None else match.account_id
    if account not in (ANY, origin.account):
        asked = "accountId" if match.account_id else "no accountId, so the default account"
        yield f"{asked} is {account}, the message is of {origin.account}"
    if match.peer is not None:
        yield from _peer_mismatch(match.peer, origin)
    if match.thread is not None and str(match.thread) != origin.thread:
        yield f"thread is {match.thread}, the message is in {_named(origin.thread)}"
    if match.guild_id is not None and str(match.guild_id) != origin.guild:
        yield f"guildId is {match.guild_id}, the message is in {_named(origin.guild)}"
    if match.roles is not None and origin.roles.isdisjoint(map(str, match.roles)):
        yield "roles has none of the sender's"
    if match.team_id is not None and str(match.team_id) != origin.team:
        yield f"teamId is {match.team_id}, the message is in {_named(origin.team)}"


def _peer_mismatch(peer: PeerMatch, origin: Origin) -> Iterator[str]:
    if (peer.kind == "direct") != (origin.kind == "direct"):
        yield f"peer.kind is {peer.kind}, the chat is {origin.kind}"
    elif peer.id == ANY:
        return
    elif origin.kind != "direct":
        if not any(_same(origin, peer.id, each) for each in _places(origin)):
            yield f"peer.id is {peer.id}, the chat is {origin.chat}"
    else:
        asked = str(peer.id)
        if not _same(origin, asked.removeprefix(UNVERIFIED), origin.peer):
            yield f"peer.id is {peer.id}, the sender is {origin.peer}"
        elif not origin.verified and not asked.startswith(UNVERIFIED):
            wanted = f'write "{UNVERIFIED}{peer.id}"'
            yield f"peer.id is {peer.id}, for whom the platform does not vouch here: {wanted}"


def _places(origin: Origin) -> Iterator[str]:
    """Yield the ids of the chat; on servers a thread is a chat of its own."""
    yield origin.chat
    if origin.guild is not None and origin.thread is not None:
        yield origin.thread


def _same(origin: Origin, one: str | int, other: str) -> bool:
    return origin.same_for(str(one)) == origin.same_for(other)


def _named(id: str | None) -> str:
    return "none" if id is None else id
