"""OpenClaw's cards as text and buttons."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.gateway.conversations.presentations import presented

CARD: dict[str, Any] = {
    "title": "Release",
    "tone": "info",
    "blocks": [
        {"type": "text", "text": "Ready?"},
        {"type": "divider"},
        {
            "type": "buttons",
            "buttons": [
                {"label": "Yes", "value": "cmd:yes", "style": "success"},
                {"label": "No", "action": {"type": "callback", "value": "no"}},
                {"label": "Run", "action": {"type": "command", "command": "/run"}},
                {"label": "Look", "action": {"type": "url", "url": "https://a.example/"}},
                {"label": "Old", "url": "https://b.example/"},
                {"label": "Later"},
            ],
        },
        {"type": "select", "placeholder": "Where?", "options": [{"label": "Here", "value": "h"}]},
        {"type": "context", "text": "asked by the pipeline"},
    ],
}


def test_a_card_becomes_text_and_rows_of_buttons() -> None:
    text, rows = presented(CARD, buttons=True)
    assert text == "Release\n\nReady?\n\n---\n\nWhere?\n\nasked by the pipeline"
    assert rows == [
        [
            {"text": "Yes", "data": "cmd:yes"},
            {"text": "No", "data": "no"},
            {"text": "Run", "data": "/run"},
            {"text": "Look", "url": "https://a.example/"},
            {"text": "Old", "url": "https://b.example/"},
        ],
        [{"text": "Later"}],
        [{"text": "Here", "data": "h"}],
    ]


def test_where_there_are_no_buttons_they_are_lines() -> None:
    text, rows = presented(CARD, buttons=False)
    assert rows == []
    lines = "- Yes\n- No\n- Run\n- Look: https://a.example/\n- Old: https://b.example/\n- Later"
    assert lines in text
    assert text.endswith("Where?\n\n- Here\n\nasked by the pipeline")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"blocks": [{"type": "table", "caption": "x"}]}, "'table'"),
        ({"blocks": [{"type": "buttons", "buttons": [{"label": ""}]}]}, "length >= 1"),
        (
            {
                "blocks": [
                    {
                        "type": "buttons",
                        "buttons": [{"label": "x", "action": {"type": "approval"}}],
                    }
                ]
            },
            "'approval'",
        ),
        ({"title": "x"}, "blocks"),
        ("text", "object"),
    ],
    ids=["table", "label", "approval", "blocks", "text"],
)
def test_what_has_no_form_here_is_named(value: Any, words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        presented(value, buttons=True)
