"""Whose messages are answered: every rule with every kind of message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runtime.config.access_policy import AccessPolicy, GroupRule, closed_doors
from runtime.gateway.access_policy.admit import REASONS, AdmissionOutcome, admit
from runtime.gateway.journal.people import Person, PersonState
from workers.messages import Chat, Inbound, Sender

ADA, BOB = "ada", "bob"
LISTED = [ADA]


def direct(sender: str = BOB, *, verified: bool = True, bot: bool = False, **more: Any) -> Inbound:
    who = Sender(sender, bot=bot, verified=verified)
    fields = {"addressed": True} | more
    return Inbound("1", Chat(sender, "direct"), who, "hello", 1, **fields)


def group(
    sender: str = BOB, *, chat: str = "g1", named: bool = True, verified: bool = True, **meta: Any
) -> Inbound:
    who = Sender(sender, verified=verified)
    return Inbound("1", Chat(chat, "group"), who, "hello", 1, addressed=named, meta=meta)


def person(state: PersonState, *, verified: bool = True) -> Person:
    return Person(BOB, state, verified=verified)


def dm(mode: Any, allow: list[str] | None = None, **more: Any) -> AccessPolicy:
    return AccessPolicy(dm=mode, allow_from=allow, **more)


def groups(mode: Any = "allowlist", **more: Any) -> AccessPolicy:
    return AccessPolicy(group=mode, **more)


G1 = {"g1": GroupRule()}
DIRECT = [
    ("open", dm("open"), None, direct(), "run", "open"),
    ("open to some", dm("open", LISTED), None, direct(), "drop", "dm-not-listed"),
    ("open to some, listed", dm("open", LISTED), None, direct(ADA), "run", "listed"),
    ("open to all of a list", dm("open", ["*"]), None, direct(), "run", "listed"),
    ("open to an empty list", dm("open", []), None, direct(), "drop", "dm-not-listed"),
    ("disabled", dm("disabled", ["*"]), None, direct(), "drop", "dm-disabled"),
    ("disabled, approved", dm("disabled"), person("allowed"), direct(), "drop", "dm-disabled"),
    ("allowlist", dm("allowlist", LISTED), None, direct(ADA), "run", "listed"),
    ("allowlist, another", dm("allowlist", LISTED), None, direct(), "drop", "dm-not-listed"),
    ("allowlist of none", dm("allowlist"), None, direct(), "drop", "dm-not-listed"),
    ("allowlist, approved", dm("allowlist"), person("allowed"), direct(), "run", "paired"),
    ("pairing, stranger", dm("pairing"), None, direct(), "pair", "unknown-sender"),
    ("pairing, waits", dm("pairing"), person("pending"), direct(), "pair", "unknown-sender"),
    ("pairing, approved", dm("pairing"), person("allowed"), direct(), "run", "paired"),
    ("pairing, listed", dm("pairing", LISTED), None, direct(ADA), "run", "listed"),
    ("blocked", dm("open"), person("blocked"), direct(), "drop", "blocked"),
    ("blocked, in a group", groups("open"), person("blocked"), group(), "drop", "blocked"),
    ("bot", dm("open"), None, direct(bot=True), "drop", "bot"),
    ("forged", dm("allowlist", LISTED), None, direct(ADA, verified=False), "drop", "unverified"),
    (
        "forged, at pairing",
        dm("pairing", LISTED),
        None,
        direct(ADA, verified=False),
        "drop",
        "unverified",
    ),
    (
        "listed as unverified",
        dm("allowlist", ["unverified:ada"]),
        None,
        direct(ADA, verified=False),
        "run",
        "listed",
    ),
    (
        "approved, then forged",
        dm("pairing"),
        person("allowed"),
        direct(verified=False),
        "drop",
        "unverified",
    ),
    (
        "approved though unverified",
        dm("pairing"),
        person("allowed", verified=False),
        direct(verified=False),
        "run",
        "paired",
    ),
    ("playback", dm("open"), None, direct(meta={"history": True}), "context", "history"),
    ("edit", dm("open"), None, direct(edits="0"), "context", "edit"),
    ("edit of a stranger", dm("allowlist"), None, direct(edits="0"), "drop", "dm-not-listed"),
    (
        "playback of a stranger",
        dm("pairing"),
        None,
        direct(meta={"history": True}),
        "drop",
        "history",
    ),
    ("edit of a stranger who may ask", dm("pairing"), None, direct(edits="0"), "drop", "edit"),
    ("aside", dm("open"), None, direct(addressed=False), "context", "not-addressed"),
    (
        "aside of one who is listed",
        dm("pairing", [BOB]),
        None,
        direct(addressed=False),
        "context",
        "not-addressed",
    ),
    (
        "aside of a stranger",
        dm("allowlist"),
        None,
        direct(addressed=False),
        "drop",
        "dm-not-listed",
    ),
    (
        "aside of a stranger who may ask",
        dm("pairing"),
        None,
        direct(addressed=False),
        "drop",
        "not-addressed",
    ),
    ("case", dm("open", ["Bob"]), None, direct(), "drop", "dm-not-listed"),
    ("case ignored", dm("open", ["Bob"], ignore_case=True), None, direct(), "run", "listed"),
]
GROUPS = [
    ("by default", groups(), None, group(), "drop", "group-not-listed"),
    ("disabled", groups("disabled", groups=G1), None, group(), "drop", "group-disabled"),
    ("listed", groups(groups=G1), None, group(), "run", "group"),
    ("another", groups(groups=G1), None, group(chat="g2"), "drop", "group-not-listed"),
    ("all listed", groups(groups={"*": GroupRule()}), None, group(chat="g2"), "run", "group"),
    ("switched off", groups(groups={"g1": GroupRule(False)}), None, group(), "drop", "group-off"),
    (
        "switched off among all",
        groups(groups={"*": GroupRule(), "g1": GroupRule(False)}),
        None,
        group(),
        "drop",
        "group-off",
    ),
    ("open", groups("open"), None, group(), "run", "group"),
    (
        "open, one off",
        groups("open", groups={"g1": GroupRule(False)}),
        None,
        group(),
        "drop",
        "group-off",
    ),
    ("not named", groups(groups=G1), None, group(named=False), "context", "no-mention"),
    (
        "playback, which names nobody",
        groups(groups=G1),
        None,
        group(named=False, history=True),
        "context",
        "history",
    ),
    ("playback elsewhere", groups(), None, group(history=True), "drop", "group-not-listed"),
    ("open, not named", groups("open"), None, group(named=False), "context", "no-mention"),
    (
        "needs no name",
        groups(groups={"g1": GroupRule(require_mention=False)}),
        None,
        group(named=False),
        "run",
        "group",
    ),
    (
        "sender not listed",
        groups(groups={"g1": GroupRule(users=LISTED)}),
        None,
        group(),
        "drop",
        "sender-not-listed",
    ),
    (
        "sender listed",
        groups(groups={"g1": GroupRule(users=LISTED)}),
        None,
        group(ADA),
        "run",
        "group",
    ),
    (
        "sender forged",
        groups(groups={"g1": GroupRule(users=LISTED)}),
        None,
        group(ADA, verified=False),
        "drop",
        "unverified",
    ),
    (
        "sender of all groups",
        groups(groups=G1, group_allow_from=LISTED),
        None,
        group(),
        "drop",
        "sender-not-listed",
    ),
    (
        "sender of all groups, listed",
        groups(groups=G1, group_allow_from=LISTED),
        None,
        group(ADA),
        "run",
        "group",
    ),
    (
        "sender of all groups, forged",
        groups(groups=G1, group_allow_from=LISTED),
        None,
        group(ADA, verified=False),
        "drop",
        "unverified",
    ),
    (
        "the group's list alone counts",
        groups(groups={"g1": GroupRule(users=[BOB])}, group_allow_from=LISTED),
        None,
        group(),
        "run",
        "group",
    ),
    (
        "no fallback to allowFrom",
        groups(allow_from=LISTED, groups={}),
        None,
        group(ADA),
        "drop",
        "group-not-listed",
    ),
    (
        "who is approved in direct chats is not in groups",
        groups(groups=G1, group_allow_from=LISTED),
        person("allowed"),
        group(),
        "drop",
        "sender-not-listed",
    ),
]
ROOMS = {"7": GroupRule(rooms={"g1": GroupRule()})}
ROLES = {"7": GroupRule(roles=["mods"])}


def guilds(rules: dict[str, GroupRule], mode: Any = "allowlist", **more: Any) -> AccessPolicy:
    return groups(mode, groups=rules, groups_field="guilds", **more)


INNER = {
    "7": GroupRule(
        require_mention=True,
        users=LISTED,
        rooms={"g1": GroupRule(require_mention=False), "*": GroupRule()},
    )
}
SERVERS = [
    ("a server", guilds({"7": GroupRule()}), None, group(guild="7"), "run", "group"),
    ("another", guilds({"7": GroupRule()}), None, group(guild="8"), "drop", "group-not-listed"),
    ("of none", guilds({"7": GroupRule()}), None, group(), "drop", "group-not-listed"),
    (
        "of none, where one has an odd name",
        guilds({"None": GroupRule()}),
        None,
        group(),
        "drop",
        "group-not-listed",
    ),
    ("none listed", guilds({}), None, group(guild="7"), "drop", "group-not-listed"),
    ("its room", guilds(ROOMS), None, group(guild="7"), "run", "group"),
    ("another room", guilds(ROOMS), None, group(guild="7", chat="g2"), "drop", "group-not-listed"),
    (
        "another room, open",
        guilds(ROOMS, "open"),
        None,
        group(guild="7", chat="g2"),
        "drop",
        "group-not-listed",
    ),
    ("a role", guilds(ROLES), None, group(guild="7", roles=["mods"]), "run", "group"),
    ("no role", guilds(ROLES), None, group(guild="7", roles=["fans"]), "drop", "sender-not-listed"),
    ("inherits users", guilds(INNER), None, group(guild="7"), "drop", "sender-not-listed"),
    ("the room's own", guilds(INNER), None, group(ADA, guild="7", named=False), "run", "group"),
    (
        "the server's, elsewhere",
        guilds(INNER),
        None,
        group(ADA, guild="7", chat="g2", named=False),
        "context",
        "no-mention",
    ),
]


@pytest.mark.parametrize(
    ("policy", "known", "message", "outcome", "reason"),
    [pytest.param(*row[1:], id=row[0]) for row in DIRECT]
    + [pytest.param(*row[1:], id=f"group: {row[0]}") for row in GROUPS]
    + [pytest.param(*row[1:], id=f"server: {row[0]}") for row in SERVERS],
)
def test_each_rule(
    policy: AccessPolicy, known: Person | None, message: Inbound, outcome: str, reason: str
) -> None:
    decision = admit(policy, known, message)
    assert (decision.outcome, decision.reason) == (outcome, reason)
    assert decision.source
    assert decision.reason in REASONS


@pytest.mark.parametrize("roles", [5, None, True, "ops", {"ops": 1}, [["ops"]], [{}], [None]])
def test_what_a_message_says_of_roles_may_be_anything(roles: Any) -> None:
    policy = groups("open", groups={"g1": GroupRule(roles=["ops"])})
    assert admit(policy, None, group(roles=roles)).reason == "sender-not-listed"
    assert admit(groups("open"), None, group(roles=roles)).reason == "group"


OFF = {"g1": GroupRule(False)}
FIELDS = ("dmPolicy", "allowFrom", "groupPolicy", "groupAllowFrom", "groups", "guilds")
PLACES = {field: f"channels.irc.{field}" for field in FIELDS}
FORGED = direct(ADA, verified=False)
HISTORY = direct(meta={"history": True})


@pytest.mark.parametrize(
    ("policy", "known", "message", "source"),
    [
        (dm("open"), None, direct(bot=True), "always so"),
        (dm("open"), None, HISTORY, "always so"),
        (dm("pairing"), None, HISTORY, "always so"),
        (dm("open"), person("blocked"), direct(), "channels.pairing.block"),
        (dm("pairing"), person("allowed"), direct(), "channels.pairing.approve"),
        (dm("pairing"), person("allowed"), direct(verified=False), "channels.pairing.approve"),
        (dm("disabled", ["*"]), None, direct(), "channels.irc.dmPolicy"),
        (dm("open"), None, direct(), "channels.irc.dmPolicy"),
        (dm("pairing", LISTED), None, direct(), "channels.irc.dmPolicy"),
        (dm("allowlist"), None, direct(), "channels.irc.dmPolicy"),
        (dm("allowlist", LISTED), None, direct(), "channels.irc.allowFrom"),
        (dm("pairing", LISTED), None, direct(ADA), "channels.irc.allowFrom"),
        (dm("pairing", LISTED), None, FORGED, "channels.irc.allowFrom"),
        (groups("disabled", groups=G1), None, group(), "channels.irc.groupPolicy"),
        (groups("open"), None, group(), "channels.irc.groupPolicy"),
        (groups(), None, group(), "channels.irc.groupPolicy"),
        (groups(groups=G1), None, group(chat="g2"), "channels.irc.groups"),
        (groups(groups=G1), None, group(), "channels.irc.groups.g1"),
        (groups(groups={"*": GroupRule()}), None, group(), "channels.irc.groups.*"),
        (groups("open", groups=OFF), None, group(), "channels.irc.groups.g1"),
        (groups(groups=G1), None, group(named=False), "channels.irc.groups.g1: requireMention"),
        (
            groups(groups={"g1": GroupRule(users=LISTED)}),
            None,
            group(),
            "channels.irc.groups.g1",
        ),
        (groups("open", group_allow_from=[]), None, group(), "channels.irc.groupAllowFrom"),
        (guilds(ROOMS), None, group(guild="7", chat="g2"), "channels.irc.guilds.7.channels"),
        (guilds(ROOMS), None, group(guild="7"), "channels.irc.guilds.7.channels.g1"),
    ],
)
def test_a_decision_names_the_line_that_it_follows_from(
    policy: AccessPolicy, known: Person | None, message: Inbound, source: str
) -> None:
    assert admit(replace(policy, sources=PLACES), known, message).source == source


def test_a_field_that_is_not_set_is_named_as_the_channel_s_default() -> None:
    assert admit(AccessPolicy(), None, direct()).source == "dmPolicy (the channel's default)"


ids = st.sampled_from([ADA, BOB, "*", "unverified:ada", "unverified:bob", "g1", "7", "mods"])
lists = st.none() | st.lists(ids, max_size=3)
rules = st.builds(
    GroupRule,
    enabled=st.booleans(),
    require_mention=st.none() | st.booleans(),
    users=lists,
    roles=lists,
)
outer = st.builds(
    GroupRule,
    enabled=st.booleans(),
    require_mention=st.none() | st.booleans(),
    users=lists,
    roles=lists,
    rooms=st.dictionaries(ids, rules, max_size=2),
)


def policies_of(
    rule: st.SearchStrategy[GroupRule], *fields: str
) -> st.SearchStrategy[AccessPolicy]:
    return st.builds(
        AccessPolicy,
        dm=st.sampled_from(["pairing", "allowlist", "open", "disabled"]),
        allow_from=lists,
        group=st.sampled_from(["open", "allowlist", "disabled"]),
        group_allow_from=lists,
        groups=st.dictionaries(ids, rule, max_size=2),
        groups_field=st.sampled_from(fields),
        ignore_case=st.booleans(),
    )


# Rooms are those of a server: nothing else can have them.
policies = policies_of(rules, "groups", "channels") | policies_of(outer, "guilds")
senders = st.sampled_from([ADA, BOB])
messages = st.builds(
    direct,
    senders,
    verified=st.booleans(),
    bot=st.booleans(),
    edits=st.none() | st.just("0"),
    addressed=st.booleans(),
) | st.builds(
    group,
    senders,
    chat=st.sampled_from(["g1", "g2"]),
    named=st.booleans(),
    verified=st.booleans(),
    guild=st.sampled_from(["7", "8"]),
    roles=st.lists(st.sampled_from(["mods", "fans"]), max_size=2),
)
known = st.none() | st.builds(
    Person,
    st.sampled_from([BOB]),
    st.sampled_from(["pending", "allowed", "blocked"]),
    verified=st.booleans(),
)


@given(policies, known, messages)
def test_nothing_is_dropped_without_a_reason_and_a_place(
    policy: AccessPolicy, who: Person | None, message: Inbound
) -> None:
    decision = admit(policy, who, message)
    assert decision.reason in REASONS
    assert decision.source
    if decision.outcome is AdmissionOutcome.PAIR:
        assert (policy.dm, message.chat.kind) == ("pairing", "direct")
    if message.sender.bot or (who is not None and who.state == "blocked"):
        assert decision.outcome is AdmissionOutcome.DROP
    if message.chat.kind == "direct" and not message.addressed:
        assert decision.outcome in (AdmissionOutcome.DROP, AdmissionOutcome.CONTEXT)


@given(policies)
def test_a_policy_is_said_to_admit_nobody_in_groups_when_it_does(policy: AccessPolicy) -> None:
    places = (ADA, BOB, "g1", "7", "mods", "unverified:ada", "unverified:bob", "another")
    admitted = any(
        admit(policy, None, group(who, chat=chat, guild=guild, roles=[*places])).outcome
        is AdmissionOutcome.RUN
        for who in (*places, "*")
        for chat in places
        for guild in (places if policy.by_server else ("7",))
    )
    said = any("in a group" in each for each in closed_doors(policy))
    assert said == (policy.group != "disabled" and not admitted)


@given(policies, known, messages)
def test_who_forges_an_id_is_admitted_nowhere_where_others_are_not(
    policy: AccessPolicy, who: Person | None, message: Inbound
) -> None:
    """An unverified sender gets in only where the verified one would, or where it was said so."""
    if message.sender.verified or admit(policy, who, message).outcome is not AdmissionOutcome.RUN:
        return
    vouched = Sender(message.sender.id, verified=True)
    fields = {name: getattr(message, name) for name in Inbound.__struct_fields__}
    assert (
        admit(policy, who, Inbound(**fields | {"sender": vouched})).outcome is AdmissionOutcome.RUN
    )
