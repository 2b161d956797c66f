"""Secrets in a text: hidden behind marks, and put back where the marks return."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runtime.config.edit.masking import masked, restored, restored_comments
from runtime.config.errors import ConfigError
from runtime.config.redact import REDACTED
from runtime.config.text.parse import parse
from tests.runtime.config.example import known

JSON5 = Path("trunkline.json5")
TOML = Path("trunkline.toml")


def section(password: str) -> str:
    return f"{{channels: {{talk: {{ password: {password} }}}}}} // ends here"


def values(path: Path, text: str) -> dict[str, Any]:
    return parse(path, text)[0]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (JSON5, section('"marlin-fish"')),
        (JSON5, section("'marlin\\'fish'")),
        (JSON5, section('"marlin\\"fish\\\\"')),
        (TOML, '[channels.talk] # mine\npassword = "marlin-fish"\n'),
    ],
)
def test_a_secret_is_hidden_and_comes_back_as_it_was_written(path: Path, text: str) -> None:
    shown, redacted = masked(path, text, known())
    assert "marlin" not in shown
    assert values(path, shown) == redacted
    assert redacted["channels"]["talk"]["password"] == REDACTED
    back = restored_comments(path, shown, text)
    assert restored(path, back, values(path, text), known()) == text


# Whatever a comment holds, "orca" is in it, and must not be shown.
COMMENTED = [
    (JSON5, "// orca\n{}"),
    (JSON5, "{} //orca"),
    (JSON5, "{\r\n  // the old one: orca\r\n}\r\n"),
    (JSON5, '{\n  // password: "orca",\n  // token: "orca", /* orca */\n}'),
    (JSON5, "{channels: {talk: { /* password: 'orca', */ password: \"new\" /* was orca */ }}}"),
    (JSON5, '/**\n * orca\n * "orca\n */\n{channels: {} /* orca */, // orca\n}'),
    (JSON5, "{channels: {talk: {rooms: [ // orca\n '#a orca', /* orca */ '#b', ], }}}"),
    (JSON5, "{channels: {talk: {accounts: { a: { signin: { // orca\n user: '//', }}}}}}"),
    (JSON5, "{channels: {talk: {server: 'https://x:orca@host//y'}}} // https://x:orca@host"),
    (JSON5, "// orca\u2028{} // __OPENCLAW_REDACTED__:9 orca"),
    (JSON5, "// __OPENCLAW_REDACTED__ of an earlier loss, orca\n{}"),
    (TOML, "# orca\n"),
    (TOML, '[channels.talk] # orca\n# password = "orca"\npassword = "orca" # orca\n'),
    (TOML, '[channels.talk]\nrooms = [ # orca\n  "#a orca", # orca\n  "#b",\n  # orca\n]\n'),
    (TOML, 'channels.talk = {signin = {user = "#", password = "orca"}} # orca\r\n#orca'),
    (TOML, '[channels.talk]\nserver = "#" # orca "\nstyle = """\nplain # shown\n""" # orca\n'),
]


@pytest.mark.parametrize(("path", "text"), COMMENTED)
def test_what_comments_say_is_never_shown_and_comes_back_byte_for_byte(
    path: Path, text: str
) -> None:
    shown, redacted = masked(path, text, known())
    assert "orca" not in shown
    assert values(path, shown) == redacted
    back = restored_comments(path, shown, text)
    assert restored(path, back, values(path, text), known()) == text


def test_comments_may_be_moved_removed_doubled_and_added() -> None:
    old = "{\n  // one\n  a: 1, /* two */\n  b: 2, // three\n}"
    shown, _ = masked(JSON5, old, known())
    first, second, third = (f"{REDACTED}:{number}" for number in (1, 2, 3))
    assert shown == f"{{\n  // {first}\n  a: 1, /* {second} */\n  b: 2, // {third}\n}}"
    new = f"// new\n{{ /* {second} */ /* {second}, and more */ c: 3 }} // {first}"
    assert restored_comments(JSON5, new, old) == (
        "// new\n{ /* two */ /* two, and more */ c: 3 } // one"
    )


@pytest.mark.parametrize(
    ("path", "comment"),
    [
        (JSON5, f"// {REDACTED}"),
        (JSON5, f'// password: "{REDACTED}"'),
        (JSON5, f"// {REDACTED}:0"),
        (JSON5, f"// {REDACTED}:3"),
        (JSON5, f"// {REDACTED}:{'9' * 5000}"),
        (JSON5, f"/* {REDACTED}:1 */"),  # it was to the end of its line: the rest would vanish
        (JSON5, f"// {REDACTED}:2"),  # it may have several lines
        (TOML, f"# {REDACTED}"),
        (TOML, f"# {REDACTED}:0"),
        (TOML, f"# {REDACTED}:2"),
    ],
)
def test_the_mark_of_no_comment_is_refused(path: Path, comment: str) -> None:
    old = "# one" if path == TOML else "// one\n{} /* two\nlines */"
    new = comment if path == TOML else f"{comment}\n{{}}"
    sign = comment.partition(" ")[0]
    text = (
        rf'^{path}: "{REDACTED}(:\d+)?" in a comment stands for no {re.escape(sign)} comment of the'
        r" file: leave the marks of comments as they were read, or delete them$"
    )
    with pytest.raises(ConfigError, match=text):
        restored_comments(path, new, old)


def test_a_secret_that_is_part_of_another_value_does_not_spoil_that() -> None:
    """The text and the values that are shown agree, so that it can be written back."""
    text = "{channels: {talk: {server: 'irc.marlin-fish.org', password: 'marlin-fish'}}}"
    shown, redacted = masked(JSON5, text, known())
    assert values(JSON5, shown) == redacted
    assert restored(JSON5, shown, values(JSON5, text), known()) == text


ROOMS = ["#a red", "#b blue", "#c", "#d blue"]
HIDDEN_ROOMS = [f"#a {REDACTED}", f"#b {REDACTED}", "#c", f"#d {REDACTED}"]


@pytest.mark.parametrize(
    ("order", "after"),
    [
        ((0, 1, 2, 3), ROOMS),
        ((1, 2), ["#b blue", "#c"]),
        ((3, 0), ["#d blue", "#a red"]),
    ],
)
def test_a_key_stays_with_its_room(order: tuple[int, ...], after: list[str]) -> None:
    old = {"channels": {"talk": {"rooms": ROOMS}}}
    rooms = [HIDDEN_ROOMS[index] for index in order]
    text = restored(JSON5, f"{{channels: {{talk: {{rooms: {rooms}}}}}}}", old, known())
    assert values(JSON5, text)["channels"]["talk"]["rooms"] == after


def test_a_key_is_not_given_to_another_room() -> None:
    old = {"channels": {"talk": {"rooms": ROOMS}}}
    text = f"{{channels: {{talk: {{rooms: ['#x {REDACTED}', '#b', '#c', '#d']}}}}}}"
    with pytest.raises(ConfigError, match="is not valid as real data"):
        restored(JSON5, text, old, known())


BOTS = [{"n": "a", "token": "red"}, {"n": "b", "token": "blue"}, {"n": "b", "token": "green"}]


@pytest.mark.parametrize(
    ("names", "tokens"),
    [
        ("abb", ["red", "blue", "green"]),
        ("xbb", ["red", "blue", "green"]),  # renamed
        ("abbc", ["red", "blue", "green", "new"]),
        ("a", ["red"]),
        ("b", None),  # which of the two?
        ("cabb", None),
        ("xab", None),  # is x the old b?
    ],
)
def test_a_secret_does_not_pass_to_its_neighbour_in_a_list(
    names: str, tokens: list[str] | None
) -> None:
    shown = [{"n": name, "token": "new" if name == "c" else REDACTED} for name in names]
    text = f"{{other: {shown}}}"
    old = {"other": BOTS}
    if tokens is None:
        with pytest.raises(ConfigError, match="is not valid as real data"):
            restored(JSON5, text, old, known())
    else:
        found = values(JSON5, restored(JSON5, text, old, known()))["other"]
        assert [each["token"] for each in found] == tokens


@pytest.mark.parametrize("names", ["xa", "bx", "x", "abx"])
def test_a_new_item_gets_no_secret_of_one_that_was_moved_or_removed(names: str) -> None:
    shown = [{"n": name, "token": REDACTED} for name in names]
    with pytest.raises(ConfigError, match="is not valid as real data"):
        restored(JSON5, f"{{other: {shown}}}", {"other": BOTS[:2]}, known())


def test_a_number_as_secret_is_hidden_and_comes_back() -> None:
    for path, text in ((JSON5, section("12345678")), (TOML, "[channels.talk]\npassword = 12345\n")):
        shown, _ = masked(path, text, known())
        assert "12345" not in shown
        back = restored_comments(path, shown, text)
        assert restored(path, back, values(path, text), known()) == text


def test_a_reference_of_a_secret_is_not_masked() -> None:
    text = "{channels: {talk: { password: { source: 'env', id: 'P' } }}}"
    assert masked(JSON5, text, known())[0] == text


def test_a_text_without_marks_is_not_even_parsed() -> None:
    assert restored(JSON5, "{ broken", {}, known()) == "{ broken"
    assert restored_comments(JSON5, "{ broken", "// a") == "{ broken"


def test_a_broken_text_with_marks_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not JSON5"):
        restored(JSON5, f"{{ '{REDACTED}", {}, known())
    with pytest.raises(ConfigError, match="is not JSON5"):
        restored_comments(JSON5, f"{{ '{REDACTED}", "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"token": "t0p"}, {"token": f"not {REDACTED}"}),
        ({"token": "t0p"}, [REDACTED]),
        ({"a": {"token": "t0p"}}, {"b": {"token": REDACTED}}),
        (["t0p"], {"token": REDACTED}),
        ("a token", {"token": REDACTED}),
        (5, {"token": REDACTED}),
        (5, [REDACTED]),
        (None, REDACTED),
    ],
)
def test_a_mark_in_another_shape_than_the_secret_is_refused(old: Any, new: Any) -> None:
    with pytest.raises(ConfigError, match=r"in key other.* is not valid as real data$"):
        restored(JSON5, f"{{other: {new!r}}}", {"other": old}, known())


def test_two_items_that_are_the_same_may_be_moved() -> None:
    old = {"other": [{"n": "a", "token": "red"}, *({"n": "b", "token": "blue"},) * 2]}
    shown = [{"n": name, "token": REDACTED} for name in "bba"]
    text = restored(JSON5, f"{{other: {shown}}}", old, known())
    assert [each["token"] for each in values(JSON5, text)["other"]] == ["blue", "blue", "red"]


@pytest.mark.parametrize("mark", [REDACTED, f"not {REDACTED}"])
def test_a_mark_where_no_secret_was_is_refused(mark: str) -> None:
    with pytest.raises(ConfigError) as refused:
        restored(JSON5, section(f'"{mark}"'), {"channels": {"talk": {}}}, known())
    (problem,) = refused.value.problems
    assert (refused.value.source, problem.path) == (str(JSON5), "channels.talk.password")
    assert problem.text == (
        f'Sentinel value "{REDACTED}" in key channels.talk.password is not valid as real data'
    )
