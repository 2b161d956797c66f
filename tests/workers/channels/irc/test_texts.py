"""Cutting texts to lines, and cleaning them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.channels.irc.lines import line
from workers.channels.irc.texts import action_of, room_bytes, split_text, strip_markup

ANY = st.text(max_size=2000)


@given(ANY, st.integers(4, 450))
@example("\x80\u1680", 4)  # blank only to someone who knows more than ASCII
def test_every_piece_fits_and_can_be_sent(text: str, limit: int) -> None:
    for piece in split_text(text, limit):
        assert piece.strip()
        assert len(piece.encode()) <= limit
        assert line("PRIVMSG", "#a", piece)


@given(st.text(st.sampled_from("ab \nüß漢😀"), max_size=600), st.integers(4, 100))
def test_nothing_but_space_is_lost(text: str, limit: int) -> None:
    squeezed = "".join(text.split())
    assert "".join("".join(split_text(text, limit)).split()) == squeezed


def test_a_text_is_cut_between_words() -> None:
    assert split_text("the quick brown fox", 12) == ["the quick", "brown fox"]
    assert split_text("the quick brown", 9) == ["the quick", "brown"]


def test_a_word_longer_than_the_line_is_cut_between_characters() -> None:
    assert split_text("ü" * 5, 5) == ["üü", "üü", "ü"]
    assert split_text("a " + "😀" * 3, 9) == ["a 😀", "😀😀"]


def test_line_breaks_make_messages_and_blank_lines_none() -> None:
    assert split_text("a\n\n  \nb\r\nc\rd", 50) == ["a", "b", "c", "d"]


def test_a_message_cannot_become_a_ctcp() -> None:
    assert split_text("\1VERSION\1", 50) == ["VERSION"]


def test_a_lone_surrogate_is_replaced() -> None:
    assert split_text("a\ud800b", 50) == ["a?b"]


def test_the_room_is_what_512_bytes_leave() -> None:
    prefix = "nick!user@host.example"
    room = room_bytes(len(prefix), "PRIVMSG", "#room", action=False)
    passed_on = f":{prefix} PRIVMSG #room :{'x' * room}\r\n"
    assert len(passed_on) == 512
    assert room_bytes(len(prefix), "PRIVMSG", "#room", action=True) == room - 9
    with pytest.raises(ValueError, match="no room"):
        room_bytes(80, "PRIVMSG", "#" + "x" * 420, action=False)


def test_formatting_is_removed() -> None:
    text = "\x02bold\x02 \x0304,12red\x03 \x1dit\x0f \x04ff0000hex \x16r\x16 3,4 \x03x"
    assert strip_markup(text) == "bold red it hex r 3,4 x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\1ACTION waves\1", "waves"),
        ("\1ACTION waves", "waves"),
        ("\1ACTION\1", ""),
        ("\1ACTIONS\1", None),
        ("\1VERSION\1", None),
        ("\1\1", None),
    ],
)
def test_only_an_action_is_speech(text: str, said: str | None) -> None:
    assert action_of(text) == said
