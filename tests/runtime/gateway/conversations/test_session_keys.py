"""Keys of conversations: their forms, and that two conversations never have one key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runtime.config.sessions import (
    KEY_WORDS,
    DmScope,
    GroupScope,
    NamedKind,
    SessionConfig,
    validate_session,
)
from runtime.gateway.conversations.origins import Origin
from runtime.gateway.conversations.session_keys import (
    KINDS,
    MAX_KEY,
    BadSessionKey,
    SessionKeys,
    SessionParts,
    agent_of,
    classification,
    client_key,
    is_reserved,
    kind_of,
    main_key,
    named_key,
    parts_of,
)

SCOPES: list[DmScope] = ["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]
LINKS = {
    "alice": ["telegram:931", "irc:al", "unverified:irc:al2", "matrix:@al:example.org"],
    "x": ["slack:U1"],
}


def origin(**fields: Any) -> Origin:
    plain: dict[str, Any] = {
        "channel": "telegram",
        "account": "b",
        "kind": "direct",
        "chat": "777",
        "peer": "777",
    }
    return Origin(**(plain | fields))


def group(**fields: Any) -> Origin:
    return origin(**({"kind": "group", "chat": "-1002"} | fields))


def keys(scope: DmScope = "per-account-channel-peer", **fields: Any) -> SessionKeys:
    return SessionKeys(SessionConfig(dm_scope=scope, **fields))


RECORDED = [
    ("main", origin(), "agent:ops:main"),
    ("per-peer", origin(), "agent:ops:direct:777"),
    ("per-channel-peer", origin(), "agent:ops:telegram:direct:777"),
    ("per-account-channel-peer", origin(), "agent:ops:telegram:b:direct:777"),
    (
        "per-account-channel-peer",
        origin(account="default"),
        "agent:ops:telegram:default:direct:777",
    ),
    (
        "per-account-channel-peer",
        origin(account="default", thread="7"),
        "agent:ops:telegram:default:direct:777:thread:777:7",
    ),
    ("main", origin(thread="7"), "agent:ops:main:thread:777:7"),
    ("main", group(account="default"), "agent:ops:telegram:group:-1002"),
    ("main", group(account="default", thread="7"), "agent:ops:telegram:group:-1002:topic:7"),
    ("main", group(), "agent:ops:telegram:b:group:-1002"),
    (
        "main",
        group(channel="slack", kind="channel", chat="C1", account="default", thread="17.5"),
        "agent:ops:slack:channel:C1:thread:17.5",
    ),
    ("main", group(channel="irc", chat="#dev"), "agent:ops:irc:b:group:#dev"),
]


@pytest.mark.parametrize(("scope", "where", "key"), RECORDED)
def test_a_conversation_has_the_key_that_openclaw_gives_it(
    scope: DmScope, where: Origin, key: str
) -> None:
    assert keys(scope).key_of("ops", where) == key
    assert agent_of(key) == "ops"


def test_accounts_share_a_group_only_when_it_is_asked_for() -> None:
    one, other = group(account="a"), group(account="b")
    assert keys().key_of("ops", one) != keys().key_of("ops", other)
    shared = keys(group_scope="per-channel")
    assert (
        shared.key_of("ops", one) == shared.key_of("ops", other) == "agent:ops:telegram:group:-1002"
    )


HOSTILE = [
    ("a:b", "a%3Ab"),
    ("a%3Ab", "a%253Ab"),
    ("U1", "U1"),
    ("u1", "u1"),
    ("", "%-"),
    ("%-", "%25-"),
    ("%~" + "0" * 64, "%25~" + "0" * 64),
    ("~ada", "%7Eada"),
    ("group", "%67roup"),
    ("thread", "%74hread"),
    ("a b\n", "a%20b%0A"),
    ("é", "%C3%A9"),
    ("e\u0301", "e%CC%81"),
    ("\x7f!", "%7F!"),
    ("\ud800", "%ED%A0%80"),
    ("!room:server.org", "!room%3Aserver.org"),
    ("alice", "%61lice"),
    ("x", "%78"),
    ("a" * 90, "a" * 90),
]


@pytest.mark.parametrize(("peer", "token"), HOSTILE)
def test_an_id_stands_in_its_key_as_no_other_does(peer: str, token: str) -> None:
    made = keys(identity_links=LINKS).key_of("ops", origin(peer=peer))
    assert made == f"agent:ops:telegram:b:direct:{token}"
    if "\ud800" not in peer:
        assert parts_of(made).id == peer


def test_a_long_id_is_a_digest_that_is_none_of_another() -> None:
    long, other = keys().key_of("ops", origin(peer="a" * 91)), origin(peer="a" * 92)
    start, _, token = long.rpartition(":")
    assert (start, token[:2], len(token)) == ("agent:ops:telegram:b:direct", "%~", 66)
    assert long != keys().key_of("ops", other)
    assert parts_of(long).id == token
    assert keys().key_of("ops", origin(peer=token)) != long
    assert parts_of(keys().key_of("ops", origin(peer="é" * 15))).id == "é" * 15
    assert parts_of(keys().key_of("ops", origin(peer="é" * 16))).id.startswith("%~")


def test_the_longest_key_is_one_that_clients_may_name() -> None:
    huge = "x" * 512
    wide = "y" * 64
    where = origin(channel=wide, account=wide, peer=huge, chat=huge, thread=huge)
    key = keys().key_of(wide, where)
    assert len(key) <= MAX_KEY
    assert client_key(key, "main") == key


def test_who_is_not_vouched_for_has_a_conversation_of_its_own() -> None:
    ada = origin(channel="irc", peer="ada")
    forged = replace(ada, verified=False)
    assert keys().key_of("ops", forged) == "agent:ops:irc:b:direct:~ada"
    assert parts_of("agent:ops:irc:b:direct:~ada") == SessionParts(
        kind="direct", agent="ops", id="ada", channel="irc", account="b", verified=False
    )
    assert keys().key_of("ops", replace(ada, peer="~ada")) != keys().key_of("ops", forged)
    group_key = keys().key_of("ops", replace(ada, kind="group", chat="~ada"))
    assert parts_of(group_key).id == "~ada"
    assert parts_of(group_key).verified


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (origin(peer="931"), "alice"),
        (origin(peer="932"), None),
        (origin(peer="931", verified=False), None),
        (origin(channel="irc", peer="al"), "alice"),
        (origin(channel="irc", peer="AL", ignore_case=True), "alice"),
        (origin(channel="irc", peer="al2", verified=False), "alice"),
        (origin(channel="matrix", peer="@al:example.org"), "alice"),
        (origin(channel="slack", peer="931"), None),
        (origin(channel="slack", peer="U1"), "x"),
    ],
)
def test_a_person_with_several_ids_has_one_name(where: Origin, name: str | None) -> None:
    found = keys(identity_links=LINKS)
    assert found.linked(where) == name
    assert found.key_of("ops", where).endswith(f":direct:{name}") is (name is not None)


def test_case_is_one_where_the_platform_says_so() -> None:
    where = origin(channel="irc", peer="Ada", chat="#Dev", ignore_case=True)
    assert keys().key_of("o", where) == keys().key_of("o", replace(where, peer="aDA"))
    assert keys().key_of("o", where) != keys().key_of("o", replace(where, ignore_case=False))
    room = replace(where, kind="group")
    assert keys().key_of("o", room) == keys().key_of("o", replace(room, chat="#dEV"))


NAMED: list[tuple[NamedKind, str]] = [
    ("cron", "cron"),
    ("hook", "hook"),
    ("openai", "custom"),
    ("openai-user", "custom"),
    ("openresponses", "custom"),
    ("openresponses-user", "custom"),
    ("dashboard", "custom"),
    ("explicit", "custom"),
    ("acp-bridge", "custom"),
    ("subagent", "subagent"),
]


@pytest.mark.parametrize(("kind", "word"), NAMED)
def test_what_does_not_come_from_a_chat_has_a_kind_and_an_id(kind: NamedKind, word: str) -> None:
    key = named_key("main", kind, "conv-1")
    assert key == f"agent:main:{kind}:conv-1"
    assert parts_of(key) == SessionParts(kind=kind, agent="main", id="conv-1")
    assert classification(parts_of(key)) == word
    assert parts_of(named_key("main", kind, "a:b")).id == "a:b"
    assert KINDS.keys() == {each for each, _ in NAMED}
    assert KINDS.keys() <= KEY_WORDS


def test_a_run_of_a_job_belongs_to_it() -> None:
    key = named_key("main", "cron", "j1", run="s:1")
    assert key == "agent:main:cron:j1:run:s%3A1"
    assert parts_of(key) == SessionParts(kind="cron", agent="main", id="j1", run="s:1")


PARTS = [
    ("agent:m:main", SessionParts(kind="main", agent="m"), "main"),
    (
        "agent:m:main:thread:c:7",
        SessionParts(kind="main", agent="m", chat="c", thread="7"),
        "main",
    ),
    ("agent:m:direct:7", SessionParts(kind="direct", agent="m", id="7"), "direct"),
    (
        "agent:m:irc:direct:7",
        SessionParts(kind="direct", agent="m", id="7", channel="irc"),
        "direct",
    ),
    (
        "agent:m:telegram:default:direct:777:thread:777:7",
        SessionParts(
            kind="direct",
            agent="m",
            id="777",
            channel="telegram",
            account="default",
            chat="777",
            thread="7",
        ),
        "direct",
    ),
    (
        "agent:m:telegram:group:-1:topic:7",
        SessionParts(kind="group", agent="m", id="-1", channel="telegram", thread="7"),
        "group",
    ),
    (
        "agent:m:slack:w:channel:C1:thread:9",
        SessionParts(kind="channel", agent="m", id="C1", channel="slack", account="w", thread="9"),
        "group",
    ),
]
OTHERS = [
    "web1",
    "a:b:c",
    "group:1",
    "main:x",
    "main:thread:1",
    "direct",
    "irc:direct",
    "irc:a:b:direct:1",
    "irc:direct:1:topic:7",
    "irc:group:1:thread",
    "irc:group:1:run:7",
    "cron",
    "cron:a:b",
    "cron:a:walk:b",
    "hook:a:run:b",
]


@pytest.mark.parametrize(("key", "parts", "word"), PARTS)
def test_a_key_is_taken_apart(key: str, parts: SessionParts, word: str) -> None:
    assert parts_of(key) == parts
    assert kind_of(key) == parts.kind
    assert classification(parts) == word


@pytest.mark.parametrize("name", OTHERS)
def test_what_has_none_of_our_forms_is_a_client_s_own(name: str) -> None:
    assert parts_of(f"agent:m:{name}") == SessionParts(kind="custom", agent="m", id=name)
    assert classification(parts_of(f"agent:m:{name}")) == "custom"


@pytest.mark.parametrize(
    "key", ["", "main", "agent", "agent:", "agent:m", "agent:m:", "agent::x", "Agent:m:x"]
)
def test_what_names_no_agent_is_no_key(key: str) -> None:
    with pytest.raises(BadSessionKey, match=r"^the session key is not agent:<agent>:<name>$"):
        parts_of(key)
    assert kind_of(key) == "custom"


def test_a_key_that_a_client_has_made_up_is_taken_apart_all_the_same() -> None:
    assert parts_of("agent:m:direct:%FF%2").id == "\ufffd%2"


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("main", "agent:ops:main"),
        (" foo ", "agent:ops:foo"),
        ("acp-bridge:1", "agent:ops:acp-bridge:1"),
        ("agent:nobody:main", "agent:nobody:main"),
        ("agent:main:telegram:group:-1", "agent:main:telegram:group:-1"),
        ("Agent:x:y", "agent:ops:Agent:x:y"),
        ("a" * 502, "agent:ops:" + "a" * 502),
        ("ключ", "agent:ops:ключ"),
    ],
)
def test_a_client_s_key_is_bare_or_whole(given: str, key: str) -> None:
    assert client_key(given, "ops") == key


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("agent:main:main", "agent:boss:main"),
        ("agent:main:web", "agent:main:web"),
        ("agent:ops:main", "agent:ops:main"),
        ("main", "agent:ops:main"),
    ],
)
def test_openclaw_s_main_session_is_that_of_an_agent(given: str, key: str) -> None:
    assert client_key(given, "ops", main="boss") == key


@pytest.mark.parametrize("agent", ["", "a:b", "a b", "a" * 65])
def test_a_bare_key_is_one_of_an_agent_that_can_be(agent: str) -> None:
    with pytest.raises(BadSessionKey, match="impossible agent"):
        client_key("x", agent)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "^the session key is empty; allowed: a name, or agent:<agent>:<name>$"),
        ("  ", "is empty"),
        ("a b", "^the session key has white space or control characters in it$"),
        ("a\u2028b", "white space"),
        ("a\x00", "control"),
        ("\ud800", "control"),
        ("agent:", "impossible agent"),
        ("agent::x", "impossible agent"),
        ("agent:a/b:x", "impossible agent"),
        ("agent:" + "a" * 65 + ":x", "impossible agent"),
        ("agent:main", "no session of the agent main"),
        ("agent:main:", "no session of the agent main"),
        ("a" * 503, "512 characters"),
    ],
)
def test_a_client_s_key_that_names_nothing_is_refused(given: str, words: str) -> None:
    with pytest.raises(BadSessionKey, match=words):
        client_key(given, "ops")


@pytest.mark.parametrize(
    ("key", "reserved"),
    [
        ("cron:1", True),
        ("agent:main:cron:1", True),
        (" agent:main:subagent:1", True),
        ("acp:1", True),
        ("acp-bridge:1", True),
        ("cron", False),
        ("agent:main:cron", False),
        ("web:cron:1", False),
        ("hook:1", False),
        ("", False),
    ],
)
def test_requests_may_not_name_the_gateway_s_own_sessions(key: str, reserved: bool) -> None:
    assert is_reserved(key) is reserved


def test_the_main_session() -> None:
    assert main_key("m") == "agent:m:main" == keys("main").key_of("m", origin())


# What follows is about hostile ids: two conversations have one key only if that is configured.
WORDS = sorted(KEY_WORDS | LINKS.keys())
IDS = st.sampled_from([*WORDS, "", "~", "%-", "%~", "a:b", "7", "-1", "default", "931", "al", "Al"])
ANY_ID = (
    IDS
    | st.text(max_size=4)
    | st.lists(st.sampled_from([*WORDS, ":", "%", "~"]), max_size=3).map("".join)
)
NAMES = st.sampled_from([*WORDS, "telegram", "irc", "default", "b", "c1"])
ORIGINS = st.builds(
    Origin,
    channel=NAMES,
    account=NAMES,
    kind=st.sampled_from(["direct", "group", "channel"]),
    chat=ANY_ID,
    peer=ANY_ID,
    verified=st.booleans(),
    thread=st.none() | ANY_ID,
    ignore_case=st.booleans(),
)
CONFIGS = st.builds(
    SessionConfig,
    dm_scope=st.sampled_from(SCOPES),
    group_scope=st.sampled_from(["per-account", "per-channel"]),
    identity_links=st.sampled_from([{}, LINKS]),
)


def conversation(config: SessionConfig, where: Origin) -> tuple[object, ...]:
    """Return what a conversation is by the words of the documentation, without any key."""
    chat = where.same_for(where.chat)
    if where.kind != "direct":
        own: GroupScope = config.group_scope
        account = where.account if own == "per-account" else None
        return ("group", where.channel, account, where.kind, chat, where.thread)
    place = (chat, where.thread) if where.thread is not None else None
    if config.dm_scope == "main":
        return ("main", place)
    name = SessionKeys(config).linked(where)
    person = ("name", name) if name else (where.same_for(where.peer), where.verified)
    if config.dm_scope == "per-peer":
        return ("direct", person, place)
    account = where.account if config.dm_scope == "per-account-channel-peer" else None
    return ("direct", where.channel, account, person, place)


@given(CONFIGS, st.lists(ORIGINS, min_size=2, max_size=8), st.sampled_from(["main", "ops"]))
def test_two_conversations_never_have_one_key(
    config: SessionConfig, origins: list[Origin], agent: str
) -> None:
    made = SessionKeys(config)
    found: dict[str, tuple[object, ...]] = {}
    for where in origins:
        key = made.key_of(agent, where)
        assert found.setdefault(key, conversation(config, where)) == conversation(config, where)
        assert key.isascii()
        assert key.isprintable()
        assert " " not in key
        assert client_key(key, "other") == key
    assert len(found) == len({conversation(config, where) for where in origins})


@given(CONFIGS, ORIGINS)
def test_a_key_says_where_it_comes_from(config: SessionConfig, where: Origin) -> None:
    parts = parts_of(SessionKeys(config).key_of("main", where))
    kind = "main" if where.kind == "direct" and config.dm_scope == "main" else where.kind
    assert parts.kind == kind
    assert parts.thread == where.thread
    if kind in ("group", "channel"):
        assert parts.channel == where.channel
        assert parts.id == where.same_for(where.chat)
    elif kind == "direct" and SessionKeys(config).linked(where) is None:
        assert parts.verified == where.verified


@given(st.text(max_size=40) | st.lists(st.sampled_from([*WORDS, "agent", "x"])).map(":".join))
def test_any_text_is_a_key_or_is_refused_with_a_sentence(text: str) -> None:
    try:
        key = client_key(text, "main")
    except BadSessionKey as error:
        said = str(error)
    else:
        said = f"session key of {agent_of(key)}: {is_reserved(key)}"
    assert "session key" in said


@given(
    st.sampled_from(sorted(KINDS.values())), ANY_ID, st.sampled_from(sorted(KINDS.values())), ANY_ID
)
def test_named_sessions_are_none_of_each_other(
    kind: NamedKind, name: str, other_kind: NamedKind, other: str
) -> None:
    same = (kind, name) == (other_kind, other)
    assert (named_key("m", kind, name) == named_key("m", other_kind, other)) is same


def test_the_links_of_these_tests_may_stand_in_the_file() -> None:
    found = validate_session(
        SessionConfig(identity_links=LINKS), ["telegram", "irc", "slack", "matrix"]
    )
    assert found == []
