from __future__ import annotations

import pytest

from workers.testing.fakes.discord_text import INTERPRETED, shown_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**bold** _it_ ~~gone~~ ||dark|| `code`", "bold it gone dark code"),
        (r"\*a\* \<@7> \`b\`", "*a* <@7> `b`"),
        ("<@7> <#8> <@&9> <:wave:1> <t:5:R>", " ".join([INTERPRETED] * 5)),
        ("@everyone :smile:", f"{INTERPRETED} {INTERPRETED}"),
        ("<https://a.example/x_y_z>", "https://a.example/x_y_z"),
        ("https://a.example/x_y_z!", "https://a.example/x_y_z!"),
        ("# a\n-# b\n> c\n- d\n3. e", "a\nb\nc\n\u2022 d\n1. e"),
        ("[a](https://b.example)", "a"),
        ("```py\nx\n```", "x"),
        ("a # b 3. c\nd", "a # b 3. c\nd"),
    ],
)
def test_markup_is_shown_as_people_see_it(text: str, shown: str) -> None:
    assert shown_text(text) == shown
