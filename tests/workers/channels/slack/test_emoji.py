from __future__ import annotations

import pytest

from workers.channels.slack.emoji import emoji_name, shown_emoji


@pytest.mark.parametrize(
    ("emoji", "name"),
    [
        ("👍", "+1"),
        ("❤️", "heart"),
        ("❤", "heart"),
        ("⭐️", "star"),
        (":thumbsup:", "thumbsup"),
        ("party-parrot", "party-parrot"),
        ("+1::skin-tone-3", "+1::skin-tone-3"),
        ("🦧", None),
        ("", None),
        ("no name", None),
        ("ä", None),
    ],
)
def test_an_emoji_has_a_name_at_slack(emoji: str, name: str | None) -> None:
    assert emoji_name(emoji) == name


def test_a_name_is_shown_as_the_emoji_where_it_is_known() -> None:
    assert shown_emoji("thumbsup") == shown_emoji("+1") == "👍"
    assert shown_emoji("party-parrot") == ":party-parrot:"
    assert len(shown_emoji("x" * 200)) == 64


def test_what_is_shown_can_be_set() -> None:
    for name in ("tada", "party-parrot"):
        assert emoji_name(shown_emoji(name)) == name
