"""Comments are found wherever they stand, and nothing else is taken for one."""

from __future__ import annotations

import tomllib

import pyjson5
import pytest

from runtime.config.text.comments import comments, replace_comments

JSON5 = [
    ("{a: 1} // end", ["end"]),
    ("//\n// \n{a: 1}\n//one\r\n//  two  \r\n", ["one", "two"]),
    ("// to the end\u2028{a: 1} // more\r/* x */", ["to the end", "more", "x"]),
    ("{/* a */ a /*b*/ : /* c\n d */ 1 /***/, /**/}", ["a", "b", "c\n d", "*"]),
    ("{a: 1 /*/x*/} /* // not twice */", ["/x", "// not twice"]),
    ("{a: 1 // /* open\n} // */", ["/* open", "*/"]),
    ('{a: "// no", b: \'/* no */\', "c//": "\\"// no"} // "yes', ['"yes']),
    ("{a: 'two \\\n// lines', b: 'it\\'s // no'} /* 'yes */", ["'yes"]),
    ("{u: 'http://host/x'} // http://yes", ["http://yes"]),
]
TOML = [
    ("# one\na = 1 # two\r\n#\n#  \n[t] #three", ["one", "two", "three"]),
    ('a = \'# no\' # it\'s\nb = "# no\\" # no" # "yes', ["it's", '"yes']),
    ('a = """\n# no\n\\""" # no\n"""#yes', ["yes"]),
    ('a = """x""""" # yes\nb = """""" # b', ["yes", "b"]),
    ("a = '''\n# no \\''' # yes\nb = '''x''''' # b", ["yes", "b"]),
    (
        "a = [ # one\n  'x', # two\n] # three\n\"k#\" = {b = '#'} # four",
        ["one", "two", "three", "four"],
    ),
]


@pytest.mark.parametrize(
    ("text", "expected", "toml"),
    [(*row, False) for row in JSON5] + [(*row, True) for row in TOML],
)
def test_what_comments_say_is_found_and_replaced(
    text: str, expected: list[str], *, toml: bool
) -> None:
    found = comments(text, toml=toml)
    assert [comment.text for comment in found] == expected
    assert [text[comment.start : comment.end] for comment in found] == expected
    parse = tomllib.loads if toml else pyjson5.decode
    other = replace_comments(text, lambda number, _: f"R:{number}", toml=toml)
    assert parse(other) == parse(text)
    assert [each.text for each in comments(other, toml=toml)] == [
        f"R:{number}" for number in range(1, len(expected) + 1)
    ]
    back = replace_comments(other, lambda number, _: expected[number - 1], toml=toml)
    assert back == text


def test_a_comment_knows_its_kind() -> None:
    assert [each.sign for each in comments("{} // a\n/* b */", toml=False)] == ["//", "/*"]
    assert [each.sign for each in comments("# a", toml=True)] == ["#"]
