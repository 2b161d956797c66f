"""Which names are possible, which are equal, and which texts mention a nick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.channels.irc.names import fold, mentions, spare_nicks, valid_channel, valid_nick

NICK = st.from_regex(r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\[\]\\`_^{|}-]{0,15}", fullmatch=True)


@pytest.mark.parametrize("text", ["Bot: hi", "bot, hi", "hey BOT!", "bot", "(bot)", "@bot hi"])
def test_a_text_mentions_the_nick(text: str) -> None:
    assert mentions(text, "bot")


@pytest.mark.parametrize(
    "text", ["", "bots", "robot", "bot-2: hi", "bot_", "[bot]", "übot", "bo t"]
)
def test_a_part_of_a_word_is_no_mention(text: str) -> None:
    assert not mentions(text, "bot")


@given(NICK)
def test_any_nick_is_found_at_the_beginning(nick: str) -> None:
    assert mentions(f"{nick}: hello", nick)
    assert mentions(f"{nick.upper()}, hello", nick.lower())
    assert valid_nick(nick)


def test_names_are_compared_as_the_server_does() -> None:
    assert fold("A[]\\^", "rfc1459") == "a{}|~"
    assert fold("A[]\\^", "strict-rfc1459") == "a{}|^"
    assert fold("A[]\\^", "ascii") == "a[]\\^"
    assert fold("A[", "unheard-of") == "a["


@given(NICK)
def test_spare_nicks_are_possible_and_different(nick: str) -> None:
    spares = spare_nicks(nick)
    assert nick not in spares
    assert len(set(spares)) == len(spares)
    assert all(valid_nick(spare) for spare in spares)
    assert any(len(spare) <= 9 for spare in spares)


@pytest.mark.parametrize("nick", ["", "1a", "-a", "a b", "a!b", "a" * 65, "a:"])
def test_an_impossible_nick_is_invalid(nick: str) -> None:
    assert not valid_nick(nick)


@pytest.mark.parametrize("name", ["", "room", "#", "#a b", "#a,b", "#a\7", "#" + "x" * 200, "#a:b"])
def test_an_impossible_channel_is_invalid(name: str) -> None:
    assert not valid_channel(name)
