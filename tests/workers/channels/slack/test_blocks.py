from __future__ import annotations

import pytest

from workers.channels.slack.blocks import SECTION_LIMIT, blocks_of
from workers.errors import SendFailed
from workers.messages import Button
from workers.testing.fakes.slack_methods import check_blocks


def test_buttons_stand_below_the_text() -> None:
    rows = [[Button("yes", data="y"), Button("no")], [Button("more", url="https://a.example")]]
    section, first, second = blocks_of("*sure?*", rows, marked=True)
    assert section == {"type": "section", "text": {"type": "mrkdwn", "text": "*sure?*"}}
    assert [each["value"] for each in first["elements"]] == ["y", "no"]
    assert second["elements"][0]["url"] == "https://a.example"
    check_blocks([section, first, second])


def test_plain_text_is_shown_as_it_stands() -> None:
    (section, _) = blocks_of("*a* &lt;b&gt;", [[Button("x")]], marked=False)
    assert section["text"] == {"type": "plain_text", "emoji": False, "text": "*a* <b>"}


def test_a_long_text_has_several_sections() -> None:
    blocks = blocks_of("word " * 1500, [[Button("x")]], marked=True)
    assert [each["type"] for each in blocks] == ["section"] * 3 + ["actions"]
    assert all(len(each["text"]["text"]) <= SECTION_LIMIT for each in blocks[:-1])
    check_blocks(blocks)


@pytest.mark.parametrize(
    ("row", "about"),
    [
        ([], "1 to 25 buttons"),
        ([Button("x")] * 26, "1 to 25 buttons"),
        ([Button("x", data="d" * 2001)], "more than 2000 characters"),
        ([Button("x", url="https://" + "a" * 3000)], "is too long"),
    ],
)
def test_what_slack_does_not_take_is_refused(row: list[Button], about: str) -> None:
    with pytest.raises(SendFailed, match=about) as found:
        blocks_of("x", [row], marked=False)
    assert found.value.reason == "invalid"


def test_a_long_label_is_shortened() -> None:
    (_, row) = blocks_of("x", [[Button("l" * 100)]], marked=False)
    assert row["elements"][0]["text"]["text"] == "l" * 74 + "…"
    assert row["elements"][0]["value"] == "l" * 100
