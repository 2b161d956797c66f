"""Who shares a conversation with whom, and that whatever comes is decided with a reason.

The whole way of a message over the pure rooms: admission, routing, key, command, queue.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.access_policy import AccessPolicy, GroupRule
from runtime.config.sessions import (
    BindingConfig,
    DmScope,
    GroupScope,
    QueueConfig,
    QueueMode,
    SessionConfig,
)
from runtime.gateway.access_policy.admit import REASONS, AdmissionOutcome, admit
from runtime.gateway.conversations.chat_commands import read_command
from runtime.gateway.conversations.origins import Origin, origin_of
from runtime.gateway.conversations.queue_modes import QueuedMessage, SessionQueue
from runtime.gateway.conversations.routing import Fallback, explain, route
from runtime.gateway.conversations.session_keys import SessionKeys, agent_of, parts_of
from workers.messages import Chat, Inbound, Sender

FALLBACK = Fallback(default_agent="echo", default_account="a")
AGENTS = ["echo", "ops", "none"]
PEOPLE = ["ada", "bob"]
ACCOUNTS = ["a", "b"]


def place(account: str, kind: Any, chat: str, peer: str, thread: str | None = None) -> Origin:
    return Origin(
        channel="telegram", account=account, kind=kind, chat=chat, peer=peer, thread=thread
    )


# Two people write to two accounts: directly, in a group, and in a topic of it.
WAYS = [
    place(account, kind, chat or person, person, thread)
    for account in ACCOUNTS
    for person in PEOPLE
    for kind, chat, thread in (
        ("direct", None, None),
        ("group", "g1", None),
        ("group", "g1", "7"),
        ("group", "g2", None),
    )
]
LINKS = [{}, {"one": ["telegram:ada", "telegram:bob"]}, {"one": ["telegram:ada", "irc:bob"]}]


def shared(session: SessionConfig, one: Origin, other: Origin) -> bool:
    """Return whether the configuration asks that two messages to one agent share a session."""
    if (one.kind, one.thread) != (other.kind, other.thread):
        return False
    same_account = one.account == other.account
    if one.kind == "group":
        return one.chat == other.chat and (same_account or session.group_scope == "per-channel")
    linked = session.identity_links.get("one", [])
    same_person = one.peer == other.peer or all(
        f"telegram:{each.peer}" in linked for each in (one, other)
    )
    match session.dm_scope:
        case "main":
            return True
        case "per-account-channel-peer":
            return same_person and same_account
    return same_person


BINDING = st.builds(
    lambda agent, match: msgspec.convert(
        {"agentId": agent, "match": {"channel": "telegram"} | match}, BindingConfig
    ),
    st.sampled_from(AGENTS),
    st.fixed_dictionaries(
        {},
        optional={
            "accountId": st.sampled_from(["a", "b", "*"]),
            "peer": st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["direct", "group"]),
                    "id": st.sampled_from(["ada", "bob", "g1", "*"]),
                }
            ),
        },
    ),
)


@pytest.mark.parametrize("scope", get_args(DmScope))
@pytest.mark.parametrize("groups", get_args(GroupScope))
@given(st.sampled_from(LINKS), st.lists(BINDING, max_size=4))
def test_nobody_shares_a_session_unless_the_configuration_says_so(
    scope: DmScope, groups: GroupScope, links: dict[str, list[str]], bindings: list[BindingConfig]
) -> None:
    session = SessionConfig(dm_scope=scope, group_scope=groups, identity_links=links)
    keys = SessionKeys(session)
    made = []
    for way in WAYS:
        agent = route(bindings, way, FALLBACK).agent
        made.append((way, agent, keys.key_of(agent, way)))
    for (one, agent, key), (other, other_agent, other_key) in combinations(made, 2):
        asked = agent == other_agent and shared(session, one, other)
        assert (key == other_key) is asked
        assert agent_of(key) == agent


def test_by_default_there_are_as_many_sessions_as_ways_to_talk() -> None:
    keys = SessionKeys(SessionConfig())
    found = {keys.key_of("echo", way) for way in WAYS}
    direct = {(way.account, way.peer) for way in WAYS if way.kind == "direct"}
    groups = {(way.account, way.chat, way.thread) for way in WAYS if way.kind == "group"}
    assert len(found) == len(direct) + len(groups) == 10


# The names of everything are chosen so that they may be taken for each other.
NAMES = st.sampled_from(
    ["*", "ada", "unverified:ada", "g1", "g1:7", "", "direct", "~ada", "%", "x" * 99]
)
RULES = st.builds(
    GroupRule,
    enabled=st.booleans(),
    require_mention=st.none() | st.booleans(),
    users=st.none() | st.lists(NAMES, max_size=2),
    roles=st.none() | st.lists(NAMES, max_size=2),
    rooms=st.dictionaries(NAMES, st.builds(GroupRule, enabled=st.booleans()), max_size=1),
)
POLICIES = st.builds(
    AccessPolicy,
    dm=st.sampled_from(["pairing", "allowlist", "open", "disabled"]),
    allow_from=st.none() | st.lists(NAMES, max_size=2),
    group=st.sampled_from(["open", "allowlist", "disabled"]),
    group_allow_from=st.none() | st.lists(NAMES, max_size=2),
    groups=st.dictionaries(NAMES, RULES, max_size=2),
    groups_field=st.sampled_from(["groups", "guilds", "channels"]),
    ignore_case=st.booleans(),
)
ODD = st.none() | st.booleans() | st.integers(-9, 9) | NAMES | st.lists(NAMES, max_size=2)
MESSAGES = st.builds(
    Inbound,
    id=st.just("1"),
    chat=st.builds(Chat, NAMES, st.sampled_from(["direct", "group"])),
    sender=st.builds(Sender, NAMES, bot=st.booleans(), verified=st.booleans()),
    text=st.sampled_from(["", "hello", "/new", "stop", "/agent x", "NO_REPLY"])
    | st.text(max_size=5),
    ts=st.just(1),
    addressed=st.booleans(),
    thread=st.none() | NAMES,
    meta=st.dictionaries(st.sampled_from(["guild", "roles", "team", "history"]), ODD, max_size=3),
)


@given(
    POLICIES,
    st.lists(
        st.builds(
            BindingConfig, agent_id=st.just("ops"), match=st.builds(lambda b: b.match, BINDING)
        ),
        max_size=2,
    ),
    st.sampled_from(["", "telegram", "direct"]),
    MESSAGES,
    st.sampled_from(get_args(QueueMode)),
)
def test_whatever_comes_is_decided_with_a_reason(
    policy: AccessPolicy,
    bindings: list[BindingConfig],
    channel: str,
    message: Inbound,
    mode: QueueMode,
) -> None:
    decision = admit(policy, None, message)
    assert decision.reason in REASONS
    assert decision.source
    if decision.outcome is not AdmissionOutcome.RUN:
        return
    origin = origin_of(f"{channel}:a", message, policy)
    chosen = route(bindings, origin, FALLBACK)
    assert chosen.reason
    assert chosen.source
    assert all(explain(bindings, origin, FALLBACK))
    key = SessionKeys(SessionConfig()).key_of(chosen.agent, origin)
    assert parts_of(key).kind in ("direct", "group", "channel")
    queue = SessionQueue()
    if read_command(message.text, busy=False) is None:
        queued = QueuedMessage(run="r1", text=message.text, at=1, sender=message.sender.id)
        arrival = queue.add(queued, QueueConfig(mode=mode, debounce_ms=0))
        assert arrival.taken
        batch = queue.begin_next(1)
        assert batch is not None
        assert batch.text == message.text
        assert [each.reason for each in queue.end()] == ["its own turn has ended"]
