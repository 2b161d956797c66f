"""People and groups by their ids."""

from __future__ import annotations

import pytest

from ops.openclaw.people import is_group, people, person


@pytest.mark.parametrize(
    ("channel", "entry", "ours"),
    [
        ("telegram", "123", "123"),
        ("telegram", 123, 123),
        ("telegram", "tg:123", "123"),
        ("telegram", "TELEGRAM:123", "123"),
        ("telegram", "@ann", None),
        ("telegram", "-100", None),
        ("telegram", True, None),
        ("telegram", "*", "*"),
        ("telegram", "accessGroup:ops", None),
        ("discord", "user:12", "12"),
        ("discord", "<@!12>", "12"),
        ("discord", "ann#1234", None),
        ("slack", "user:U12AB", "U12AB"),
        ("slack", "slack:U12AB", "U12AB"),
        ("slack", "ann", None),
        ("irc", "*", "*"),
        ("irc", "ann", None),
        ("irc", "ann!user@host", None),
        ("irc", "eve!*@*", None),
        ("irc", 5, None),
        ("irc", "user@host", None),
        ("irc", "two words", None),
        ("irc", None, None),
    ],
)
def test_an_entry_of_a_list_is_translated(channel: str, entry: object, ours: object) -> None:
    assert person(channel, entry) == ours


def test_a_nick_that_anybody_may_use_is_marked() -> None:
    assert person("irc", "ann", forgeable=True) == "unverified:ann"
    assert person("irc", "ann!user@host", forgeable=True) is None
    assert person("irc", "*", forgeable=True) == "*"
    assert person("telegram", "1", forgeable=True) == "1"


def test_entries_that_are_no_ids_are_listed() -> None:
    assert people("telegram", ["1", "@ann", 2]) == (["1", 2], ["@ann"])


@pytest.mark.parametrize(
    ("channel", "group", "named"),
    [
        ("telegram", "-100123", True),
        ("telegram", "friends", False),
        ("discord", "123", True),
        ("discord", "general", False),
        ("slack", "C12", True),
        ("slack", "#general", False),
        ("irc", "#room", True),
        ("irc", "room", False),
        ("irc", "*", True),
    ],
)
def test_a_group_is_named_by_its_id(channel: str, group: str, named: bool) -> None:
    assert is_group(channel, group) is named
