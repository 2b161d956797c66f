"""Every text that is no JSON5 or TOML, and what the operator is told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runtime.config.errors import ConfigError
from runtime.config.text.parse import parse

JSON5, TOML = "trunkline.json5", "trunkline.toml"


def refused(text: str, name: str = JSON5) -> str:
    """Return the error that ``text`` must cause, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse(Path(name), text)
    (line,) = str(caught.value).splitlines()
    return line.removeprefix(name)


def test_values_come_with_the_line_of_each_path() -> None:
    values = {"a": {"b": [1, 2]}, "c": "x"}
    lines = {"a": 2, "a.b": 2, "a.b[0]": 2, "a.b[1]": 3, "c": 4}
    assert parse(Path(JSON5), "{\n a: {b: [1,\n 2]},\n c: 'x'}") == (values, lines)
    text = "c = 'x'\n[a]\nb = [1,\n2]\n"
    assert parse(Path(TOML), text) == (values, {"c": 1, "a": 2, "a.b": 3})


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", ": is not JSON5: the file is empty; the least that is allowed is {}"),
        ("{\n a: ,\n}", ":2: is not JSON5: expected a value, found ','"),
        ("{\n a: 1\n b: 2}", ":3: is not JSON5: "),
        ("{} x", ":1: is not JSON5: unexpected text 'x' after the end"),
        ("[" * 60, ":1: is not JSON5: nested deeper than 32 levels"),
        ('{"a": "x', ":1: is not JSON5: "),
        ("[1]", ": must be one object, { ... }, at the top"),
        ("5", ": must be one object, { ... }, at the top"),
        (
            "{gateway: {},\n gateway: {}}",
            ":2: gateway: is given 2 times (lines 1, 2); allowed: once",
        ),
        (
            "{channels: {talk: {accounts: {\n a: {server: 's'},\n 'a': {server: 't'}}}}}",
            ":3: channels.talk.accounts.a: is given 2 times (lines 2, 3); allowed: once",
        ),
    ],
)
def test_malformed_json5_is_refused(written: str, said: str) -> None:
    assert said in refused(written)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a = \n", ":1: is not TOML: "),
        ("[gateway]\nport = 1\nport = 2\n", ":3: is not TOML: Cannot overwrite a value"),
        ("[gateway]\n[gateway]\n", ":2: is not TOML: table gateway is declared twice"),
        (".".join("a" * 33) + " = 1", ": is not TOML: nested deeper than 32 levels"),
        ("a = " + "[" * 5000, ": is not TOML: nested deeper than 32 levels"),
        ("a = '", "is not TOML: "),
    ],
)
def test_malformed_toml_is_refused(written: str, said: str) -> None:
    assert said in refused(written, TOML)


def test_a_key_given_twice_in_toml_says_what_is_allowed() -> None:
    said = refused("a = 1\na = 2\n", TOML)
    assert said.endswith("each key and table may be given once")


@pytest.mark.parametrize("name", [JSON5, TOML])
def test_a_number_of_thousands_of_digits(name: str) -> None:
    number = "1" * 5000
    text = f"{{a: {number}}}" if name.endswith("5") else f"a = {number}"
    assert refused(text, name)


@pytest.mark.parametrize("name", [JSON5, TOML])
def test_half_a_character_is_refused(name: str) -> None:
    """Nothing that is written or sent could hold it."""
    text = r'{a: "\ud800"}' if name.endswith("5") else r'a = "\ud800"'
    assert refused(text, name).startswith((":1: is not JSON5: ", ":1: is not TOML: "))


MANY = 20_000
DOTTED = ".".join("a" * MANY)
LONG = {
    "a dotted name": f"{DOTTED} = 1",
    "with spaces": f"{' . '.join('a' * MANY)} = 1",
    "of quoted names": '"a.\\"b".' * MANY + "a = 1",
    "a table": f"[{DOTTED}]",
    "a list of tables": f"[[{DOTTED}]]",
    "an inline table": f"a = {{ b = 1, {DOTTED} = 1 }}",
    "after a string of several lines": f'a = """\n"\\"""\n"""\n{DOTTED} = 1',
    "without an end": f"\n{DOTTED}",
}
HARMLESS = {
    "a string": f"a = '{DOTTED}'",
    "a string with quotes": f'a = "\\"{DOTTED}"',
    "a string of several lines": f'a = """\n{DOTTED} = 1\n[{DOTTED}]\n"""',
    "a literal of several lines": f"a = '''\n{DOTTED} = 1\n\"'''",
    "a comment": f"a = 1 # {DOTTED} = 1",
    "many spaces": f'a = """\n{" " * MANY}x\nx{" " * MANY}x\n[a]{" " * MANY}x"""',
    "many quotes": "a = '''\n" + '"" ' * MANY + "'''",
    "32 levels": f"{'.'.join('a' * 32)} = 1",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_name_of_thousands_of_parts_is_refused_at_once(text: str) -> None:
    """The parser takes minutes for it."""
    began = time.process_time()
    assert refused(text, TOML).endswith("is not TOML: nested deeper than 32 levels")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_a_long_name_is_read_at_once(text: str) -> None:
    began = time.process_time()
    values, lines = parse(Path(TOML), text)
    assert set(values) == {"a"}
    assert lines["a"] == 1
    assert time.process_time() - began < 2
