"""Where a message comes from."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.access_policy import AccessPolicy
from runtime.gateway.conversations.origins import Origin, chat_in, origin_of
from workers.messages import Chat, Inbound, Sender

SERVERS = AccessPolicy(groups_field="guilds")
ROOMS = AccessPolicy(groups_field="channels")
IRC = AccessPolicy(ignore_case=True)


def message(kind: Any = "direct", **more: Any) -> Inbound:
    return Inbound("1", Chat("c1", kind), Sender("p1", verified=True), "hello", 1, **more)


@pytest.mark.parametrize(
    ("policy", "sent", "kind"),
    [
        (AccessPolicy(), message(), "direct"),
        (AccessPolicy(), message("group"), "group"),
        (ROOMS, message("group"), "channel"),
        (ROOMS, message(), "direct"),
        (SERVERS, message("group"), "group"),
        (SERVERS, message("group", meta={"guild": "g"}), "channel"),
        (SERVERS, message(meta={"guild": "g"}), "direct"),
        (AccessPolicy(), message("group", meta={"guild": "g"}), "group"),
    ],
)
def test_a_room_of_a_server_or_workspace_is_a_channel(
    policy: AccessPolicy, sent: Inbound, kind: str
) -> None:
    found = origin_of("x:a", sent, policy)
    assert (found.kind, found.channel, found.account, found.chat, found.peer) == (
        kind,
        "x",
        "a",
        "c1",
        "p1",
    )
    assert found.verified


@pytest.mark.parametrize(
    ("meta", "guild", "team", "roles"),
    [
        ({}, None, None, set()),
        ({"guild": "7", "team": "T1", "roles": ["1", 2]}, "7", "T1", {"1", "2"}),
        ({"guild": 7, "team": 0}, "7", "0", set()),
        ({"guild": "", "team": None, "roles": None}, None, None, set()),
        ({"guild": ["7"], "team": {"id": 1}, "roles": {"1": 2}}, None, None, set()),
        ({"guild": 1.5, "roles": "12"}, None, None, set()),
    ],
)
def test_what_a_plugin_adds_may_be_anything(
    meta: dict[str, Any], guild: str | None, team: str | None, roles: set[str]
) -> None:
    found = origin_of("x:a", message("group", meta=meta), SERVERS)
    assert (found.guild, found.team) == (guild, team)
    assert found.roles == roles


def test_a_thread_is_one_when_it_has_an_id() -> None:
    assert origin_of("x:a", message(thread="7"), IRC).thread == "7"
    assert origin_of("x:a", message(thread=""), IRC).thread is None
    assert origin_of("x:a", message(), IRC).thread is None


def test_case_is_as_the_channel_says() -> None:
    assert origin_of("irc:a", message(), IRC).ignore_case
    assert not origin_of("x:a", message(), AccessPolicy()).ignore_case


def test_an_unverified_sender_stays_one() -> None:
    sent = Inbound("1", Chat("c", "direct"), Sender("p"), "", 1)
    assert not origin_of("irc:a", sent, IRC).verified


def origin(peer: str, *, verified: bool = True, ignore_case: bool = False) -> Origin:
    return Origin(
        channel="irc",
        account="a",
        kind="direct",
        chat=peer,
        peer=peer,
        verified=verified,
        ignore_case=ignore_case,
    )


@pytest.mark.parametrize(
    ("entry", "person", "same"),
    [
        ("irc:ada", origin("ada"), True),
        ("irc:ada", origin("Ada"), False),
        ("irc:Ada", origin("aDA", ignore_case=True), True),
        ("irc:ada", origin("ada", verified=False), False),
        ("unverified:irc:ada", origin("ada", verified=False), True),
        ("unverified:irc:ada", origin("ada"), True),
        ("slack:ada", origin("ada"), False),
        ("ada", origin("ada"), False),
        ("irc:", origin(""), False),
        ("irc", origin(""), False),
        ("irc:a:b", origin("a:b"), True),
        ("irc:strasse", origin("straße", ignore_case=True), False),
        ("irc:k", origin("\N{KELVIN SIGN}", ignore_case=True), False),
    ],
)
def test_an_entry_means_one_person(entry: str, person: Origin, same: bool) -> None:
    assert person.is_person(entry) is same


@pytest.mark.parametrize(
    ("channel", "named", "chat"),
    [
        ("telegram", "telegram:777", "777"),
        ("telegram", "777", "777"),
        ("telegram", "telegram:", "telegram:"),
        ("discord", "channel:7", "channel:7"),
        ("irc", "#room", "#room"),
    ],
)
def test_a_chat_may_be_named_with_its_channel(channel: str, named: str, chat: str) -> None:
    assert chat_in(channel, named) == chat
