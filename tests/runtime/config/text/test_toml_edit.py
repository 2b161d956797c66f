"""Changes of a TOML text; those of whole files are in ``edit/test_accounts``."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from runtime.config.text.toml_edit import UNCHANGEABLE, add_toml, remove_toml, replace_strings_toml

TEXT = """\
# mine
[a]
b = "x" # of b
c = ["x", 'y']

[a.inner] # of inner
d = 1
"""


def test_a_table_is_put_without_touching_the_rest() -> None:
    after = add_toml(TEXT, ["n", "m"], {"k": 1, "ref": {"source": "env"}, "l": []})
    assert after == TEXT + '\n[n.m]\nk = 1\nref = {source = "env"}\nl = []\n'


def test_a_table_is_cut_with_its_fields() -> None:
    assert remove_toml(TEXT, ["a", "inner"]).rstrip() == TEXT[: TEXT.index("[a.inner]")].rstrip()


def test_the_last_table_leaves_the_one_around_it() -> None:
    after = remove_toml("[a.b.c]\nd = 1\n", ["a", "b", "c"])
    assert tomllib.loads(after) == {"a": {"b": {}}}


def test_strings_are_replaced_in_tables_and_lists() -> None:
    after = replace_strings_toml(TEXT, {("a", "b"): 'say "z"', ("a", "c", 1): "new"})
    expected: Any = tomllib.loads(TEXT)
    expected["a"] |= {"b": 'say "z"', "c": ["x", "new"]}
    assert tomllib.loads(after) == expected
    assert "# of b" in after


@pytest.mark.parametrize("text", ["broken", "a = 5\n"])
def test_what_cannot_be_changed_raises_one_of_the_known_errors(text: str) -> None:
    with pytest.raises(UNCHANGEABLE):
        add_toml(text, ["a", "b"], {})
