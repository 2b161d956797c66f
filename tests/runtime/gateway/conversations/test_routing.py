"""Which agent answers a message: every kind of binding, their order, and why."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.sessions import BindingConfig
from runtime.gateway.conversations.origins import Origin
from runtime.gateway.conversations.routing import TIERS, Fallback, Tier, explain, route

FALLBACK = Fallback(default_agent="echo", default_account="default")


def origin(**fields: Any) -> Origin:
    plain: dict[str, Any] = {
        "channel": "discord",
        "account": "default",
        "kind": "channel",
        "chat": "c1",
        "peer": "p1",
        "guild": "g1",
        "team": "t1",
        "roles": frozenset({"r1", "r2"}),
    }
    return Origin(**(plain | fields))


def direct(**fields: Any) -> Origin:
    return origin(**({"kind": "direct", "guild": None, "roles": frozenset()} | fields))


def binding(agent: str = "ops", **match: Any) -> BindingConfig:
    whole = {"agentId": agent, "match": {"channel": "discord"} | match}
    return msgspec.convert(whole, BindingConfig)


def peer(kind: str, id: Any) -> dict[str, Any]:
    return {"kind": kind, "id": id}


THREAD = origin(thread="th1")
MATCHES = [
    (binding(peer=peer("channel", "c1")), origin(), Tier.PEER),
    (binding(peer=peer("group", "c1")), origin(), Tier.PEER),
    (binding(peer=peer("channel", "g")), origin(kind="group", chat="g"), Tier.PEER),
    (binding(peer=peer("channel", "c1")), THREAD, Tier.PARENT_PEER),
    (binding(peer=peer("channel", "c1"), thread="th1"), THREAD, Tier.PEER),
    (binding(peer=peer("channel", "th1")), THREAD, Tier.PEER),
    (binding(peer=peer("group", "-1"), thread=7), origin(chat="-1", thread="7"), Tier.PEER),
    (binding(peer=peer("group", -1)), origin(kind="group", chat="-1"), Tier.PEER),
    (binding(peer=peer("channel", "*")), origin(), Tier.PEER_WILDCARD),
    (binding(peer=peer("channel", "*")), THREAD, Tier.PEER_WILDCARD),
    (binding(peer=peer("direct", "p1")), direct(), Tier.PEER),
    (binding(peer=peer("direct", "p1")), direct(thread="th1"), Tier.PEER),
    (binding(peer=peer("direct", "p1")), direct(chat="p1", thread="th1"), Tier.PEER),
    (binding(peer=peer("direct", "P1")), direct(ignore_case=True), Tier.PEER),
    (binding(peer=peer("direct", "unverified:p1")), direct(verified=False), Tier.PEER),
    (binding(peer=peer("direct", "unverified:p1")), direct(), Tier.PEER),
    (binding(peer=peer("direct", "*")), direct(verified=False), Tier.PEER_WILDCARD),
    (binding(guildId="g1", roles=["x", "r2"]), origin(), Tier.GUILD_ROLES),
    (binding(guildId="g1"), origin(), Tier.GUILD),
    (binding(guildId=7, roles=[8]), origin(guild="7", roles=frozenset({"8"})), Tier.GUILD_ROLES),
    (binding(teamId="t1"), origin(), Tier.TEAM),
    (binding(), origin(), Tier.ACCOUNT),
    (binding(accountId="b"), origin(account="b"), Tier.ACCOUNT),
    (binding(accountId="*"), origin(account="b"), Tier.CHANNEL),
    (binding(accountId="*", teamId="t1"), origin(account="b"), Tier.TEAM),
]


@pytest.mark.parametrize(("bound", "where", "tier"), MATCHES)
def test_a_binding_matches_as_exactly_as_it_is_written(
    bound: BindingConfig, where: Origin, tier: Tier
) -> None:
    found = route([bound], where, FALLBACK)
    assert (found.agent, found.source, found.tier) == ("ops", "bindings[0]", tier)
    assert found.answered
    assert found.reason == f"the message goes to ops {TIERS[tier]}"
    assert explain([bound], where, FALLBACK) == [f"bindings[0] (ops) counts: {found.reason}"]


DIFFER = [
    (binding(channel="slack"), origin(), "channel is slack, the message is of discord"),
    (binding(accountId="b"), origin(), "accountId is b, the message is of default"),
    (binding(), origin(account="b"), "no accountId, so the default account is default, the"),
    (binding(peer=peer("direct", "p1")), origin(), "peer.kind is direct, the chat is channel"),
    (binding(peer=peer("group", "p1")), direct(), "peer.kind is group, the chat is direct"),
    (binding(peer=peer("channel", "c2")), origin(), "peer.id is c2, the chat is c1"),
    (binding(peer=peer("channel", "C1")), origin(), "peer.id is C1, the chat is c1"),
    (binding(peer=peer("direct", "*")), origin(), "peer.kind is direct"),
    (binding(peer=peer("direct", "c1")), direct(), "peer.id is c1, the sender is p1"),
    (binding(peer=peer("direct", "p1")), direct(verified=False), 'write "unverified:p1"'),
    (binding(peer=peer("group", "7")), origin(guild=None, thread="7"), "the chat is c1"),
    (binding(peer=peer("channel", "c1"), thread=8), THREAD, "thread is 8, the message is in th1"),
    (binding(peer=peer("channel", "c1"), thread=8), origin(), "the message is in none"),
    (binding(guildId="g2"), origin(), "guildId is g2, the message is in g1"),
    (binding(guildId="g1"), direct(), "guildId is g1, the message is in none"),
    (binding(guildId="g1", roles=["r3"]), origin(), "roles has none of the sender's"),
    (binding(teamId="t2"), origin(), "teamId is t2, the message is in t1"),
]


@pytest.mark.parametrize(("bound", "where", "words"), DIFFER)
def test_a_binding_that_differs_in_one_field_does_not_count_and_says_in_which(
    bound: BindingConfig, where: Origin, words: str
) -> None:
    found = route([bound], where, FALLBACK)
    assert (found.agent, found.source, found.tier) == ("echo", "agents.default", None)
    first, last = explain([bound], where, FALLBACK)
    assert first.startswith("bindings[0] (ops) does not match: ")
    assert words in first
    assert first.count(";") == 0
    assert last == "agents.default counts: the message goes to echo by default"


def test_all_fields_that_differ_are_named() -> None:
    bound = binding(accountId="b", guildId="g2", roles=["r3"])
    (line, _) = explain([bound], origin(), FALLBACK)
    assert line == (
        "bindings[0] (ops) does not match: accountId is b, the message is of default; "
        "guildId is g2, the message is in g1; roles has none of the sender's"
    )


EXACT = [
    binding("peer", peer=peer("channel", "th1")),
    binding("parent", peer=peer("channel", "c1")),
    binding("wildcard", peer=peer("channel", "*")),
    binding("roles", guildId="g1", roles=["r1"]),
    binding("guild", guildId="g1"),
    binding("team", teamId="t1"),
    binding("account"),
    binding("channel", accountId="*"),
]


@pytest.mark.parametrize("number", range(len(EXACT)))
def test_the_most_exact_binding_counts_wherever_it_stands(number: int) -> None:
    several = EXACT[number:]
    for order in (several, several[::-1]):
        found = route(order, THREAD, FALLBACK)
        assert found.agent == EXACT[number].agent_id
        assert found.tier == Tier(number + 1)
    lines = explain(several[::-1], THREAD, FALLBACK)
    assert sum(" counts: " in line for line in lines) == 1
    assert sum("goes first" in line for line in lines) == len(several) - 1


def test_of_equally_exact_bindings_the_first_counts() -> None:
    both = [
        binding("late", accountId="x"),
        binding("one", guildId="g1"),
        binding("two", guildId="g1"),
    ]
    assert route(both, origin(), FALLBACK).source == "bindings[1]"
    assert explain(both, origin(), FALLBACK)[2] == (
        "bindings[2] (two) matches by its server, but bindings[1] goes first"
    )


def test_the_account_s_own_agent_counts_before_the_default() -> None:
    own = Fallback(
        default_agent="echo",
        account_agent="main",
        account_line="channels.discord.accounts.default.agent",
    )
    found = route([], origin(), own)
    assert (found.agent, found.source) == ("main", "channels.discord.accounts.default.agent")
    assert found.reason == "the message goes to main by its account's own field"
    assert explain([], origin(), own)[-1].startswith(
        "channels.discord.accounts.default.agent counts"
    )


@pytest.mark.parametrize(
    ("bindings", "fallback"),
    [
        ([binding("none")], FALLBACK),
        ([], Fallback(default_agent="none")),
        ([], Fallback(default_agent="echo", account_agent="none")),
    ],
)
def test_what_nobody_answers_is_said(bindings: list[BindingConfig], fallback: Fallback) -> None:
    found = route(bindings, origin(), fallback)
    assert not found.answered
    assert found.reason.startswith("no agent answers by ")


SOME = st.sampled_from
MATCH = st.fixed_dictionaries(
    {"channel": SOME(["discord", "irc"])},
    optional={
        "accountId": SOME(["default", "b", "*"]),
        "peer": st.builds(
            peer, SOME(["direct", "group", "channel"]), SOME(["c1", "p1", "th1", "*"])
        ),
        "thread": SOME(["th1", "th2"]),
        "guildId": SOME(["g1", "g2"]),
        "roles": st.lists(SOME(["r1", "r2", "r3"]), min_size=1, max_size=2),
        "teamId": SOME(["t1", "t2"]),
    },
)
BINDINGS = st.lists(st.builds(lambda match: binding("ops", **match), MATCH), max_size=6)
ORIGINS = st.builds(
    origin,
    account=SOME(["default", "b"]),
    kind=SOME(["direct", "group", "channel"]),
    thread=SOME([None, "th1"]),
    guild=SOME([None, "g1"]),
    roles=SOME([frozenset(), frozenset({"r1"})]),
    verified=st.booleans(),
)


@given(BINDINGS, ORIGINS)
def test_every_message_has_one_route_and_it_is_the_best_that_matches(
    bindings: list[BindingConfig], where: Origin
) -> None:
    found = route(bindings, where, FALLBACK)
    alone = [route([each], where, FALLBACK).tier for each in bindings]
    ranks = [(tier, number) for number, tier in enumerate(alone) if tier is not None]
    if ranks:
        tier, number = min(ranks)
        assert (found.source, found.tier) == (f"bindings[{number}]", tier)
    else:
        assert (found.source, found.agent) == ("agents.default", "echo")
    lines = explain(bindings, where, FALLBACK)
    assert sum(" counts: " in line for line in lines) == 1
    assert len(lines) == len(bindings) + (not ranks)
