"""What counts as said."""

from __future__ import annotations

import pytest

from tests.workers.channels.irc.transcript import line
from workers.channels.irc.features import Features
from workers.channels.irc.outputs import Heard, Typing
from workers.channels.irc.speech import read_speech, read_typing


def hear(text: str) -> Heard | None:
    return read_speech(line(text), "tester", Features(status_prefixes="@+"))


def said(text: str) -> Heard:
    found = hear(text)
    assert found is not None
    return found


def test_a_direct_message_addresses_us() -> None:
    got = said(":al!u@h PRIVMSG tester :hello")
    assert (got.nick, got.mask, got.room, got.text) == ("al", "al!u@h", None, "hello")
    assert got.addressed
    assert not got.robot


def test_in_a_channel_only_our_nick_does() -> None:
    assert not said(":al!u@h PRIVMSG #a :hello").addressed
    named = said(":al!u@h PRIVMSG #a :Tester: hello")
    assert (named.addressed, named.me) == (True, "tester")
    assert said(":al!u@h PRIVMSG #a :ask tester").addressed
    assert said(":al!u@h PRIVMSG @#a :operators only").room == "#a"


def test_an_action_is_a_message() -> None:
    got = said(":al!u@h PRIVMSG #a :\1ACTION waves at tester\1")
    assert (got.text, got.action, got.addressed) == ("waves at tester", True, True)


@pytest.mark.parametrize(
    "text",
    [
        ":al!u@h PRIVMSG tester :\1VERSION\1",
        ":al!u@h PRIVMSG tester :\1DCC SEND x 1 2 3\1",
        ":al!u@h NOTICE tester :\1VERSION mIRC\1",
        ":al!u@h NOTICE tester :\1ACTION waves\1",
        ":server NOTICE tester :*** Looking up your hostname",
        ":tester!u@h PRIVMSG #a :our own words",
    ],
)
def test_what_is_not_for_people_is_left_alone(text: str) -> None:
    assert hear(text) is None


def test_a_notice_is_never_addressed() -> None:
    got = said(":al!u@h NOTICE tester :tester: hello")
    assert (got.notice, got.robot, got.addressed) == (True, True, False)


def test_the_server_gives_id_time_and_login() -> None:
    got = said("@msgid=x1;time=2026-01-02T03:04:05.678Z;account=al;bot :al!u@h PRIVMSG #a :x")
    assert (got.id, got.at, got.login, got.robot) == ("x1", 1767323045678, "al", True)
    bare = said("@msgid=;time=yesterday :al!u@h PRIVMSG #a :x")
    assert (bare.id, bare.at, bare.login) == (None, None, None)


def test_colours_are_removed() -> None:
    assert said(":al!u@h PRIVMSG #a :\x0304red\x03 \x02bold").text == "red bold"


@pytest.mark.parametrize(
    ("text", "typing"),
    [
        ("@+typing=active :al!u@h TAGMSG #a", Typing("al", "#a", False)),
        ("@+typing=paused :al!u@h TAGMSG tester", Typing("al", None, True)),
        ("@+typing=done;account=al :al!u@h TAGMSG #a", Typing("al", "#a", True, "al")),
        ("@+typing=maybe :al!u@h TAGMSG #a", None),
        ("@+react=x :al!u@h TAGMSG #a", None),
        ("@+typing=active :tester!u@h TAGMSG #a", None),
        ("@+typing=active :al!u@h TAGMSG", None),
        ("@+typing=active TAGMSG #a", None),
    ],
)
def test_typing_is_noticed(text: str, typing: Typing | None) -> None:
    assert read_typing(line(text), "tester", Features()) == typing
