"""The fields that say who may talk to an account, and the policies that come of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.access_policy import (
    AccessPolicy,
    GroupRule,
    admits_nobody,
    closed_doors,
    describe_access,
    policy_of,
)
from runtime.config.accounts import AccountSpec, accounts
from runtime.config.errors import ConfigError
from runtime.config.model import Config
from runtime.gateway.access_policy.admit import REASONS, AdmissionOutcome
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from workers.messages import Chat, Inbound, Sender
from workers.registry import manifests

FOUND = manifests()
BOT = {"botToken": "1:AAtoken-of-a-fake-bot"}
FIELDS: dict[str, dict[str, Any]] = {
    "telegram": BOT,
    "discord": {"token": "MQ.x.y"},
    "slack": {"botToken": "xoxb-1", "appToken": "xapp-1"},
    "irc": {"server": "irc.example.org", "nick": "tester", "channels": ["#a its-key"]},
    "local": {},
}


def spec(channel: str, section: dict[str, Any], account: dict[str, Any]) -> AccountSpec:
    whole = {**section, "accounts": {"main": {**FIELDS[channel], **account}}}
    return accounts(Config(channels={channel: whole}), FOUND)[f"{channel}:main"]


def policy(channel: str, section: dict[str, Any] | None = None, **account: Any) -> AccessPolicy:
    return spec(channel, section or {}, account).access


@pytest.mark.parametrize(
    ("fields", "nobody"),
    [
        ({}, False),
        ({"dmPolicy": "allowlist"}, True),
        ({"dmPolicy": "allowlist", "allowFrom": []}, True),
        ({"dmPolicy": "allowlist", "allowFrom": ["1"]}, False),
        ({"dmPolicy": "allowlist", "groups": {"*": {}}}, False),
        ({"dmPolicy": "disabled"}, True),
        ({"dmPolicy": "allowlist", "groupPolicy": "disabled"}, True),
        ({"dmPolicy": "disabled", "groupPolicy": "disabled"}, False),
    ],
)
def test_who_admits_nobody_at_all_and_did_not_mean_it(fields: dict[str, Any], nobody: bool) -> None:
    assert admits_nobody(policy("telegram", **fields)) is nobody


@pytest.mark.parametrize(
    ("channel", "dm", "group"),
    [
        ("local", "open", "open"),
        ("telegram", "pairing", "allowlist"),
        ("discord", "pairing", "allowlist"),
        ("slack", "pairing", "allowlist"),
        ("irc", "pairing", "allowlist"),
    ],
)
def test_an_account_that_says_nothing_has_the_default_of_its_channel(
    channel: str, dm: str, group: str
) -> None:
    found = policy(channel)
    assert (found.dm, found.group, found.allow_from, found.groups) == (dm, group, None, {})
    assert found.source("dmPolicy") == "dmPolicy (the channel's default)"


def test_what_the_webhook_admits_is_behind_its_signature() -> None:
    assert policy_of(FOUND["webhook"].manifest, []).dm == "open"


def test_an_account_has_what_its_channel_says_and_its_own_first() -> None:
    section = {"dmPolicy": "allowlist", "allowFrom": [1, "telegram:2", "unverified:telegram:3"]}
    found = policy("telegram", section, dmPolicy="open", groups={"-100": {"allowFrom": [7]}})
    assert (found.dm, found.allow_from) == ("open", ["1", "2", "unverified:3"])
    assert found.groups == {"-100": GroupRule(users=["7"])}
    assert found.source("dmPolicy") == "channels.telegram.accounts.main.dmPolicy"
    assert found.source("allowFrom") == "channels.telegram.allowFrom"
    assert not found.hears_unaddressed


def test_discord_and_slack_name_their_groups_as_they_call_them() -> None:
    guild = {"roles": [5], "channels": {"9": {"requireMention": False, "users": [1]}}}
    found = policy("discord", guilds={"7": guild})
    rooms = {"9": GroupRule(require_mention=False, users=["1"])}
    assert found.groups == {"7": GroupRule(roles=["5"], rooms=rooms)}
    assert found.by_server
    assert found.hears_unaddressed
    found = policy("slack", channels={"C1": {"enabled": False}})
    assert found.groups == {"C1": GroupRule(enabled=False)}
    assert not found.by_server


@pytest.mark.parametrize(
    ("channel", "fields", "place", "words"),
    [
        ("telegram", {"dmPolicy": "opne"}, "dmPolicy", "pairing"),
        ("telegram", {"allowFrom": [""]}, "allowFrom", "characters"),
        ("telegram", {"groups": {"-1": {"requireMentoin": False}}}, "groups.-1", "requireMention"),
        ("telegram", {"journal": "off"}, "dmPolicy", "journal"),
        ("discord", {"groups": {}}, "groups", "guilds"),
        ("discord", {"guilds": {"1": {"allowFrom": []}}}, "guilds.1", "users"),
        ("slack", {"groups": {"C1": {}}}, "groups", "channels"),
        ("telegram", {"mentionPatterns": ["fine", "("]}, "mentionPatterns[1]", "RE2"),
        ("telegram", {"guilds": {}}, "guilds", "unknown"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    channel: str, fields: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        spec(channel, {}, fields)
    assert f"accounts.main.{place}" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("channel", ["telegram", "discord", "slack", "irc"])
def test_a_change_of_who_may_talk_restarts_nothing(channel: str) -> None:
    groups = {"discord": "guilds", "slack": "channels"}.get(channel, "groups")
    before, after = (
        spec(channel, {}, {}),
        spec(channel, {}, {"allowFrom": ["x"], groups: {"1": {}}}),
    )
    assert after.access != before.access
    if channel == "irc":  # its own field `channels` is another thing
        assert after.config["channels"] == ["#a its-key"]
    assert (after.fingerprint, after.config) == (before.fingerprint, before.config)


CLOSED = [
    ({}, ["in a group", "groups is empty"]),
    ({"groupPolicy": "disabled"}, []),
    ({"dmPolicy": "allowlist", "groupPolicy": "disabled"}, ["direct", "there is no allowFrom"]),
    ({"allowFrom": [], "dmPolicy": "open", "groupPolicy": "open"}, ["direct", "is empty"]),
    ({"groups": {"*": {}}}, []),
    ({"groups": {"-1": {"enabled": False}}}, ["in a group", "no enabled one"]),
    ({"groups": {"*": {}}, "groupAllowFrom": []}, ["in a group", "groupAllowFrom is empty"]),
    ({"groups": {"-1": {"allowFrom": []}}}, ["in a group", "in which anybody may"]),
    ({"groupPolicy": "open", "groups": {"*": {"enabled": False}}}, ["in a group", "groups has"]),
    ({"groupPolicy": "open", "groups": {"-1": {"enabled": False}}}, []),
    ({"dmPolicy": "allowlist", "allowFrom": [" ", "telegram:"]}, ["direct", "is empty"]),
    ({"dmPolicy": "allowlist", "allowFrom": ["unverified:"]}, ["direct", "is empty"]),
]


@pytest.mark.parametrize(("fields", "words"), CLOSED)
def test_a_policy_that_can_admit_nobody_is_reported(
    fields: dict[str, Any], words: list[str]
) -> None:
    found = closed_doors(policy("telegram", **fields))
    assert bool(found) == bool(words)
    for word in words:
        assert word in found[0]


def test_a_server_without_an_enabled_channel_admits_nobody() -> None:
    guilds = {"7": {"channels": {"1": {"enabled": False}}}}
    assert len(closed_doors(policy("discord", guilds=guilds))) == 1
    assert closed_doors(policy("discord", guilds={"7": {}})) == []
    some = {"7": {"channels": {"1": {"users": ["9"]}}}}
    assert closed_doors(policy("discord", guilds=some, groupAllowFrom=[])) == []


def test_a_policy_is_described_in_one_line() -> None:
    first, *rest = describe_access(policy("telegram", allowFrom=[1, 2]))
    assert first == "direct: pairing, 2 id listed; groups: allowlist, 0 listed in groups"
    assert len(rest) == 1


# Whatever may stand in the file, for whoever may write: names that may be taken for each other.
PEOPLE = ["ada", "777", "*", "bot:1"]
PLACES = ["g1", "#room", "7", "*"]
NUMBERS = ["7", "8", "*"]  # of Discord's servers and channels
ENTRIES = st.lists(
    st.sampled_from([*PEOPLE, 777, "unverified:ada", "irc:ada", "telegram:777", "unverified:*"]),
    max_size=2,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return an object that may have each of these fields."""
    return st.fixed_dictionaries({}, optional=fields | {"requireMention": st.booleans()})


ROOM = some(enabled=st.booleans(), users=ENTRIES)
SERVER = some(
    users=ENTRIES,
    roles=ENTRIES,
    channels=st.dictionaries(st.sampled_from(NUMBERS), ROOM, max_size=2),
)
RULES = {
    "groups": some(enabled=st.booleans(), allowFrom=ENTRIES),
    "channels": ROOM,
    "guilds": SERVER,
}


def layers_of(channel: str) -> st.SearchStrategy[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return what may stand in the section of a channel, and in that of its account."""
    field = FOUND[channel].manifest.groups
    names = NUMBERS if field == "guilds" else PLACES
    layer = st.fixed_dictionaries(
        {},
        optional={
            "dmPolicy": st.sampled_from(["pairing", "allowlist", "open", "disabled"]),
            "allowFrom": ENTRIES,
            "groupPolicy": st.sampled_from(["open", "allowlist", "disabled"]),
            "groupAllowFrom": ENTRIES,
            "mentionPatterns": st.lists(st.sampled_from(["hello", "bot"]), max_size=1),
            field: st.dictionaries(st.sampled_from(names), RULES[field], max_size=2),
        },
    )
    return st.tuples(st.just(channel), layer, layer)


MESSAGES = [
    Inbound(
        id="1",
        chat=Chat(chat, "group" if chat in PLACES else "direct"),
        sender=Sender(who, verified=verified),
        text="hello",
        ts=1,
        addressed=chat not in PLACES or named,
        meta={"guild": "7", "roles": ["ada"]},
    )
    for who in ("ada", "777", "eve")
    for chat in (who, *PLACES[:-1])
    for verified in (True, False)
    for named in (True, False)
]


def is_a_line(source: str, channel: str, layers: dict[str, dict[str, Any]]) -> bool:
    """Return whether a decision names what stands in the file, or a default."""
    if source == "always so" or " (the channel's default)" in source:
        return True
    named = (f"{path}.{field}" for path, layer in layers.items() for field in layer)
    return any(source == each or source.startswith((f"{each}.", f"{each}:")) for each in named)


@given(st.sampled_from(sorted(FIELDS)).flatmap(layers_of))
def test_whatever_stands_in_the_file_nothing_is_dropped_without_a_reason_that_stands_there(
    given_layers: tuple[str, dict[str, Any], dict[str, Any]],
) -> None:
    channel, section, account = given_layers
    path = f"channels.{channel}"
    layers = {path: section, f"{path}.accounts.main": account}
    found = policy(channel, section, **account, journal="on")
    gate = Gatekeeper(lambda: None, lambda: None, lambda key: channel)
    gate.configure({"k": found})
    direct = grouped = False
    for message in MESSAGES:
        decision = gate.rule("k", message).decision
        assert decision.reason in REASONS
        assert is_a_line(decision.source, channel, layers), decision
        open_to = decision.outcome in (AdmissionOutcome.RUN, AdmissionOutcome.PAIR)
        direct |= open_to and message.chat.kind == "direct"
        grouped |= open_to and message.chat.kind == "group"
    # Each is counted, and a file by which nobody is answered says so.
    figures = gate.figures("k")
    assert sum(sum(each.values()) for each in figures.values()) == len(MESSAGES)
    said = " ".join(closed_doors(found))
    assert not direct or "no direct message" not in said
    assert not grouped or "in a group" not in said
    if not direct and found.dm in ("allowlist", "open"):
        assert "no direct message" in said or found.allow_from  # of people who have not written
