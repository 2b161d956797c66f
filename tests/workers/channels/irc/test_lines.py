"""The grammar of a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.channels.irc.lines import Line, LineBuffer, LineError, decode_text, line, parse

WORD = st.text(
    st.characters(blacklist_characters="\r\n\0 ", blacklist_categories=["Cs"]), min_size=1
).filter(lambda word: not word.startswith(":"))
TEXT = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]))
COMMAND = st.sampled_from(["PRIVMSG", "NOTICE", "JOIN", "001"])


@given(COMMAND, st.lists(WORD, max_size=14), TEXT)
def test_what_is_built_is_read_back(command: str, words: list[str], text: str) -> None:
    got = parse(line(command, *words, text).encode())
    assert got == Line(command, (*words, text))


@given(st.binary(max_size=600))
def test_no_bytes_break_the_parser(raw: bytes) -> None:
    try:
        got = parse(raw)
    except LineError:
        return
    assert got.command
    assert got.nick is not None


@given(st.lists(st.binary(max_size=80), max_size=20), st.integers(1, 40))
def test_lines_do_not_depend_on_how_the_socket_cuts_them(lines: list[bytes], size: int) -> None:
    clean = [one.replace(b"\r", b"").replace(b"\n", b"") for one in lines]
    stream = b"".join(one + b"\r\n" for one in clean)
    received = LineBuffer()
    found = []
    for start in range(0, len(stream), size):
        found += received.feed(stream[start : start + size])
    assert found == [one for one in clean if one]


def test_an_endless_line_costs_bounded_memory() -> None:
    received = LineBuffer(limit_bytes=100)
    for _ in range(1000):
        assert received.feed(b"x" * 1000) == []
    assert [len(one) for one in received.feed(b"\n")] == [100]


def test_source_and_tags_are_read() -> None:
    got = parse(
        rb"@time=2026-01-01T00:00:00Z;+x=a\:b\s\\c\r\nd\e\;=drop;bot :n!u@h PRIVMSG #r :a :b"
    )
    assert got.nick == "n"
    assert got.source == "n!u@h"
    assert got.params == ("#r", "a :b")
    assert got.text == "a :b"
    assert got.tags["+x"] == "a;b \\c\r\nde"
    assert got.tags["bot"] == ""
    assert "" not in got.tags


def test_what_the_server_leaves_out_is_empty() -> None:
    got = parse(b"PING")
    assert (got.text, got.param(3), got.nick, got.params) == ("", "", "", ())


def test_a_command_is_read_without_regard_to_case() -> None:
    assert parse(b":s privmsg a b").command == "PRIVMSG"


@pytest.mark.parametrize("raw", [b"", b" ", b":source", b":source ", b"@tag", b"@t :s ", b" :x"])
def test_a_line_without_a_command_is_an_error(raw: bytes) -> None:
    with pytest.raises(LineError, match="without a command"):
        parse(raw)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("PRIVMSG", "#a", "x\r\nQUIT"), "line break"),
        (("PRIVMSG", "#a\nQUIT", "x"), "line break"),
        (("PRIVMSG", "a b", "x"), "not one word"),
        (("PRIVMSG", "", "x"), "not one word"),
        (("PRIVMSG", ":a", "x"), "not one word"),
        (("PRIV MSG", "a"), "not a command"),
        (("", "a"), "not a command"),
    ],
)
def test_nothing_can_be_smuggled_into_a_line(words: tuple[str, ...], wrong: str) -> None:
    with pytest.raises(LineError, match=wrong):
        line(*words)


def test_a_command_may_stand_alone() -> None:
    assert line("QUIT") == "QUIT"
    assert line("QUIT", "") == "QUIT :"


def test_text_of_old_clients_is_read_as_windows_1252() -> None:
    assert decode_text("grüß".encode("cp1252")) == "grüß"
    assert decode_text(b"\x81") == "\ufffd"
