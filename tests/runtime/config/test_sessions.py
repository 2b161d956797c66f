"""What keeps conversations apart: the fields, their defaults, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.check import problems
from runtime.config.errors import Problem
from runtime.config.sessions import (
    BindingConfig,
    CommandsConfig,
    QueueConfig,
    SessionConfig,
    queue_of,
    validate_bindings,
    validate_commands,
    validate_queue,
    validate_session,
)

CHANNELS = ("telegram", "irc")
ACCOUNTS = {"telegram": ["default", "b"], "irc": []}
AGENTS = ["main", "ops"]


def session(**fields: Any) -> list[Problem]:
    return validate_session(msgspec.convert(fields, SessionConfig), CHANNELS)


def bindings(*several: dict[str, Any]) -> list[Problem]:
    given = [
        {"agentId": each.pop("agentId", "ops"), "match": {"channel": "telegram"} | each}
        for each in several
    ]
    return validate_bindings(msgspec.convert(given, list[BindingConfig]), AGENTS, ACCOUNTS)


def test_what_is_not_set_keeps_everybody_apart() -> None:
    assert msgspec.to_builtins(SessionConfig()) == {
        "dmScope": "per-account-channel-peer",
        "groupScope": "per-account",
        "identityLinks": {},
        "reset": {"idleMinutes": None, "dailyHour": None, "zone": None},
        "silentReply": {"group": "disallow"},
    }
    assert CommandsConfig().owner_allow_from is None
    assert session() == validate_queue(QueueConfig(), CHANNELS) == []


@pytest.mark.parametrize(
    ("fields", "place", "words"),
    [
        ({"reset": {"zone": "Mars/Base", "dailyHour": 4}}, "reset.zone", "Europe/Berlin"),
        ({"reset": {"zone": "UTC"}}, "reset.zone", "dailyHour"),
        ({"identityLinks": {"a b": []}}, "identityLinks.a b", "letters, digits"),
        ({"identityLinks": {"": []}}, "identityLinks.", "impossible name"),
        ({"identityLinks": {"group": []}}, "identityLinks.group", "any other name"),
        ({"identityLinks": {"ada": ["12"]}}, "identityLinks.ada[0]", "telegram:12"),
        ({"identityLinks": {"ada": ["irc:x", "irc: "]}}, "identityLinks.ada[1]", "telegram:12"),
        ({"identityLinks": {"ada": ["ircc:x"]}}, "identityLinks.ada[0]", "did you mean irc"),
        ({"identityLinks": {"ada": ["unverified:x"]}}, "identityLinks.ada[0]", "telegram:12"),
        (
            {"identityLinks": {"ada": ["irc:x"], "bob": ["unverified:irc:x"]}},
            "identityLinks.bob[0]",
            "linked to ada",
        ),
    ],
)
def test_what_is_wrong_with_sessions_is_named(
    fields: dict[str, Any], place: str, words: str
) -> None:
    (problem,) = session(**fields)
    assert problem.path == place
    assert words in problem.text


def test_valid_sessions_are_accepted() -> None:
    links = {"ada": ["telegram:12", "unverified:irc:ada", "irc:ada"], "bob.1": ["irc:#:x"]}
    assert session(identityLinks=links, reset={"dailyHour": 4, "zone": "Europe/Berlin"}) == []
    assert session(reset={"dailyHour": 0, "idleMinutes": 1}) == []


@pytest.mark.parametrize(
    ("fields", "place", "words"),
    [
        ({"dmScope": "per-pear"}, "dmScope", '"per-peer"'),
        ({"groupScope": "global"}, "groupScope", '"per-channel"'),
        ({"reset": {"dailyHour": 24}}, "reset.dailyHour", "0 to 23"),
        ({"reset": {"idleMinutes": 0}}, "reset.idleMinutes", "1 to 525600"),
        ({"scope": "global"}, "scope", "dmScope"),
        ({"silentReply": {"group": True}}, "silentReply.group", "allow"),
    ],
)
def test_the_types_refuse_what_means_nothing(
    fields: dict[str, Any], place: str, words: str
) -> None:
    (problem,) = problems(fields, SessionConfig)
    assert problem.path == place
    assert words in problem.text


@pytest.mark.parametrize(
    ("match", "place", "words"),
    [
        ({"agentId": "opps"}, "[0].agentId", "did you mean ops"),
        ({"channel": "telegrm"}, "[0].match.channel", "did you mean telegram"),
        ({"accountId": "c"}, "[0].match.accountId", "*, b, default"),
        ({"channel": "irc", "accountId": "x"}, "[0].match.accountId", "unknown account"),
        ({"roles": ["1"]}, "[0].match.roles", "guildId"),
        ({"thread": 7}, "[0].match.thread", "peer"),
        ({"thread": 7, "peer": {"kind": "group", "id": "*"}}, "[0].match.peer.id", "the chat"),
    ],
)
def test_what_is_wrong_with_a_binding_is_named(
    match: dict[str, Any], place: str, words: str
) -> None:
    (problem,) = bindings(match)
    assert problem.path == place
    assert words in problem.text


def test_a_binding_that_can_never_count_is_named() -> None:
    peer = {"peer": {"kind": "direct", "id": 7}}
    assert bindings(peer, {"accountId": "b"}, {"accountId": "*"}) == []
    (problem,) = bindings({}, peer, {**peer, "agentId": "none"})
    assert problem.path == "[2].match"
    assert "[1]" in problem.text


def test_valid_bindings_are_accepted() -> None:
    group = {"kind": "group", "id": -100}
    assert (
        bindings({"peer": group, "thread": 7}, {"guildId": 1, "roles": [2]}, {"teamId": "T"}) == []
    )
    assert bindings({"agentId": "none"}) == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [("12", "telegram:12"), ("fax:1", "unknown channel"), ("telegram:", "telegram:12"), (5, "12")],
)
def test_an_owner_has_a_channel_and_an_id(entry: Any, words: str) -> None:
    commands = CommandsConfig(owner_allow_from=["*", "unverified:irc:ada", entry])
    (problem,) = validate_commands(commands, CHANNELS)
    assert problem.path == "ownerAllowFrom[2]"
    assert words in problem.text
    assert validate_commands(CommandsConfig(), CHANNELS) == []


def test_a_channel_may_have_its_own_queue() -> None:
    config = msgspec.convert(
        {
            "mode": "followup",
            "cap": 5,
            "byChannel": {"irc": {"mode": "steer", "cap": 2, "debounceMs": 0}, "fax": {}},
        },
        QueueConfig,
    )
    irc, telegram = queue_of(config, "irc"), queue_of(config, "telegram")
    assert (irc.mode, irc.debounce_ms, irc.cap) == ("steer", 0, 2)
    assert (telegram.mode, telegram.debounce_ms, telegram.cap) == ("followup", 300, 5)
    (problem,) = validate_queue(config, CHANNELS)
    assert problem.path == "byChannel.fax"
    assert "irc, telegram" in problem.text


@pytest.mark.parametrize(
    ("config", "channel", "debounce"),
    [
        (QueueConfig(), "irc", 0),
        (QueueConfig(), "telegram", 300),
        (QueueConfig(debounce_ms=50), "irc", 50),
        (QueueConfig(debounce_ms=0), "telegram", 0),
    ],
)
def test_only_telegram_is_waited_for_by_itself(
    config: QueueConfig, channel: str, debounce: int
) -> None:
    found = queue_of(config, channel)
    assert (found.mode, found.debounce_ms, found.cap) == ("collect", debounce, 20)


WILD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["*", "irc:a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["dmScope", "identityLinks", "reset", "zone"]), WILD, max_size=3
    )
)
def test_whatever_stands_there_is_converted_or_named(fields: dict[str, Any]) -> None:
    found = problems(fields, SessionConfig)
    if not found:
        found = session(**fields)
    assert all(problem.text for problem in found)


@given(st.lists(WILD | st.fixed_dictionaries({"channel": WILD, "peer": WILD}), max_size=3))
def test_whatever_stands_in_bindings_is_converted_or_named(matches: list[Any]) -> None:
    several = [{"agentId": "main", "match": each} for each in matches]
    found = [p for each in several for p in problems(each, BindingConfig)]
    if not found:
        found = validate_bindings(msgspec.convert(several, list[BindingConfig]), AGENTS, ACCOUNTS)
    assert all(problem.text for problem in found)
