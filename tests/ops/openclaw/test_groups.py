"""Nobody is admitted by an import whom OpenClaw refuses: what cannot be carried closes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config.access_policy import policy_of
from runtime.gateway.access_policy.admit import AdmissionOutcome
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from tests.support.openclaw_rule import Words, answered
from tests.support.translated import translated
from workers.messages import Chat, Inbound, Sender
from workers.registry import manifests

MANIFESTS = manifests()
NOBODY = {"*": {"enabled": False}}
SHUT = {"*": {"channels": NOBODY}}
OPEN = {"groupPolicy": "open"}
PEOPLE = ["41", "42", "43"]
MASKS = {"alice": "alice!ident@host", "bob": "bob!b@home", "eve": "eve!e@x"}
PLACES = {
    "telegram": [("-1", "7"), ("-1", "8"), ("-2", ""), ("-3", "")],
    "discord": [("1", "11"), ("1", "22"), ("2", "33"), ("3", "11")],
    "slack": [("C11", ""), ("C22", ""), ("C33", "")],
    "irc": [("#one", ""), ("#two", ""), ("#three", "")],
}
SLACK_PEOPLE = {each: f"U{each}" for each in PEOPLE}


def messages(channel: str) -> Iterator[tuple[Words, Inbound]]:
    """Yield every message of the small world of these tests."""
    for person in MASKS if channel == "irc" else PEOPLE:
        sender = SLACK_PEOPLE[person] if channel == "slack" else person
        for group, room in [*PLACES[channel], ("", "")]:
            words = Words(sender, group, room, MASKS.get(person, ""))
            chat = room if channel == "discord" and group else group or sender
            yield (
                words,
                Inbound(
                    id="m",
                    ts=0,
                    chat=Chat(chat, "group" if group else "direct"),
                    sender=Sender(sender, sender, verified=True),
                    text="x",
                    addressed=True,
                    meta={"guild": group} if channel == "discord" and group else {},
                ),
            )


def admitted(channel: str, section: dict[str, Any], account: str) -> list[Words]:
    """Return what is answered with the imported configuration."""
    found = translated({"channels": {channel: section}}).config.get("channels", {})
    ours = found.get(channel, {})
    own = ours.get("accounts", {}).get(account, {})
    gatekeeper = Gatekeeper(lambda: None, lambda: None, str)
    layers = [("channel", ours), ("account", own)]
    gatekeeper.configure({"key": policy_of(MANIFESTS[channel].manifest, layers)})
    return [
        words
        for words, message in messages(channel)
        if gatekeeper.decide("key", message).outcome is AdmissionOutcome.RUN
    ]


@pytest.mark.parametrize(
    ("channel", "theirs", "ours"),
    [
        ("discord", {"guilds": {"1": {"users": ["42"], "channels": {"general": {"allow": True}}}}},
         {"guilds": {"1": {"users": ["42"], "channels": NOBODY}}}),
        ("discord", {"guilds": {"1": {"users": ["42"], "channels": {"general": {}}}, "*": {}}},
         {"guilds": {"1": {"users": ["42"], "channels": NOBODY}, "*": {}}}),
        ("discord", {"guilds": {"1": {"users": ["42"], "channels": {"secret": {"allow": False}}}}},
         {"guilds": {"1": {"users": ["42"], "channels": NOBODY}}}),
        ("discord",
         {"guilds": {"1": {"channels": {"secret": {"allow": False}, "*": {"users": ["1"]}}}}},
         {"guilds": {"1": {"channels": NOBODY}}}),
        ("discord", {"guilds": {"1": {"channels": 5}}}, {"guilds": {"1": {"channels": NOBODY}}}),
        ("discord", {"guilds": {"1": {"channels": {"2": {"allow": False, "enabled": True}}}}},
         {"guilds": {"1": {"channels": {"2": {"enabled": False}}}}}),
        ("discord", {"guilds": {"friends": {"users": ["42"]}}}, {"guilds": SHUT}),
        ("discord", {"guilds": {"friends": {"users": ["42"]}, "*": {}}}, {"guilds": SHUT}),
        ("discord", {"guilds": {"friends": {}}}, None),
        ("discord", {"guilds": {"1": {"roles": ["${NONE}"]}}}, {"guilds": {"1": {"roles": []}}}),
        ("discord", {"guilds": 5}, {"guilds": SHUT}),
        ("discord", {"guilds": {"1": 5}}, {"guilds": {"1": {"channels": NOBODY}}}),
        ("slack", {"channels": {"#private": {"enabled": False}}}, {"channels": NOBODY}),
        ("slack", {"channels": {"C12": {}, "#p": {"users": ["U12"]}, "*": {}}},
         {"channels": {"C12": {}, **NOBODY}}),
        ("slack", {"channels": {"C12": {}, "*": {"users": ["U12"]}}},
         {"channels": {"C12": {"users": ["U12"]}, "*": {"users": ["U12"]}}}),
        ("slack", {"channels": {"C12": {"enabled": "no"}}},
         {"channels": {"C12": {"enabled": False}}}),
        ("telegram", {"groups": {"@named": {"enabled": False}}}, {"groups": NOBODY}),
        ("telegram", {"groups": {"-1": {}}}, {"groups": {"-1": {}, **NOBODY}}),
        ("telegram", {"groups": {"*": {"topics": {"2": {"enabled": False}}}}}, {"groups": NOBODY}),
        ("telegram", {"groups": {"*": {"topics": {"2": {"allowFrom": ["1"]}}}}},
         {"groups": NOBODY}),
        ("telegram", {"groups": {"*": {"topics": {"2": {"requireMention": False}}}}},
         {"groups": {"*": {}}}),
        ("telegram", {"groups": {"*": {"groupPolicy": "allowlist"}}}, {"groups": NOBODY}),
        ("irc", {"groups": {"ops": {"enabled": False}}}, {"groups": NOBODY}),
        ("irc", {"groups": {"#one": {"enabled": True}, **NOBODY}},
         {"groups": {"#one": {"enabled": False}, **NOBODY}}),
        ("irc", {"allowFrom": ["alice!ident@host", "bob", "eve!*@*"]}, {"allowFrom": []}),
    ],
)  # fmt: skip
def test_a_restriction_that_cannot_be_carried_closes(channel: str, theirs: Any, ours: Any) -> None:
    found = translated({"channels": {channel: {**OPEN, **theirs}}})
    assert found.config["channels"][channel] == {**OPEN, **(ours or {})}
    if NOBODY in (ours or {}).values():
        assert any("CLOSED" in reason for reason in found.changed.values())


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({"groupPolicy": "${NONE}"}, {"groupPolicy": "allowlist"}),
        ({"dmPolicy": "whoever"}, {"dmPolicy": "allowlist"}),
        ({"allowFrom": ["*"]}, {"allowFrom": ["1"], "groupAllowFrom": ["1"]}),
        ({"groups": {}}, {}),
    ],
)
def test_an_account_opens_nothing_that_its_channel_closes(fields: Any, ours: Any) -> None:
    channel = {"allowFrom": ["1"], "groupAllowFrom": ["1"], "groups": {"-1": {}}}
    if "allowFrom" in fields:
        del channel["groupAllowFrom"]
    section = {**channel, "accounts": {"a": fields}}
    found = translated({"channels": {"telegram": section}}).config["channels"]["telegram"]
    assert found.get("accounts", {}).get("a", {}) == ours


def test_an_account_whose_groups_are_all_named_has_not_those_of_the_channel() -> None:
    account = {"groupPolicy": "allowlist", "guilds": {"two": {}}}
    section = {"groupPolicy": "open", "guilds": {"1": {}}, "accounts": {"a": account}}
    assert not [words for words in admitted("discord", section, "a") if words.group]


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


POLICY = st.sampled_from(["open", "open", "allowlist", "disabled"])
FLAG = st.booleans()


def _lists(*entries: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(entries), max_size=2)


IDS = _lists("41", "42", "ann", "*")
SLACK_IDS = _lists("U41", "U42", "ann", "*")
NICKS = _lists("bob", "alice!ident@host", "eve!*@*", "*")
DIRECT = st.sampled_from(["pairing", "allowlist", "open", "disabled"])
TOPIC = _some(enabled=FLAG, allowFrom=IDS, groupPolicy=POLICY)
ROOM = _some(enabled=FLAG, allow=FLAG, users=IDS, roles=_lists("9", "mods"))
MAPS: dict[str, tuple[str, list[str], Any]] = {
    "telegram": ("groups", ["-1", "-2", "@one", "*"],
                 _some(enabled=FLAG, allowFrom=IDS, groupPolicy=POLICY,
                       topics=st.dictionaries(st.sampled_from(["7", "*"]), TOPIC, max_size=2))),
    "discord": ("guilds", ["1", "2", "one", "two", "*"],
                _some(users=IDS, roles=_lists("9", "mods"), channels=st.dictionaries(
                    st.sampled_from(["11", "22", "general", "secret", "*"]), ROOM, max_size=3))),
    "slack": ("channels", ["C11", "C22", "#one", "two", "*"],
              _some(enabled=FLAG, allow=FLAG, users=SLACK_IDS)),
    "irc": ("groups", ["#one", "#two", "one", "*"], _some(enabled=FLAG, allowFrom=NICKS)),
}  # fmt: skip


@st.composite
def sections(draw: st.DrawFn, channel: str) -> dict[str, Any]:
    field, names, entry = MAPS[channel]
    people = {"slack": SLACK_IDS, "irc": NICKS}.get(channel, IDS)
    given: dict[str, st.SearchStrategy[Any]] = {
        "dmPolicy": DIRECT,
        "allowFrom": people,
        "groupPolicy": POLICY,
        field: st.dictionaries(st.sampled_from(names), entry, max_size=3),
    }
    if channel in ("telegram", "irc"):
        given["groupAllowFrom"] = people
    if channel == "irc":
        given["dangerouslyAllowNameMatching"] = FLAG
    accounts = st.dictionaries(st.sampled_from(["a", "b"]), _some(**given), max_size=2)
    always = {name: given.pop(name) for name in ("groupPolicy", field)}
    layer = st.fixed_dictionaries(always, optional=given)
    return {**draw(layer), "accounts": draw(accounts)}


@pytest.mark.parametrize("channel", MAPS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_import_admits_a_message_that_openclaw_refuses(
    channel: str, data: st.DataObject
) -> None:
    section = data.draw(sections(channel))
    for account in section["accounts"] or ["default"]:
        for words in admitted(channel, section, account):
            assert answered(channel, section, account, words), words
