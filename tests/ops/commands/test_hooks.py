"""``trunkline hooks test``: what a request would do, without a daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import trunkline

MAPPINGS = [
    {
        "match": {"path": "github"},
        "action": "agent",
        "messageTemplate": "{{headers.x-event}} {{query.k}}: {{title}}",
    },
    {"match": {"path": "broken"}, "action": "dance"},
]
CONFIG = {"gateway": {"auth": {"token": "t"}}, "hooks": {"mappings": MAPPINGS}}


def prepared(state: Path, body: Any) -> Path:
    """Write a configuration, and a body; return the body's file."""
    state.mkdir(exist_ok=True)
    (state / "trunkline.json5").write_text(json.dumps(CONFIG))
    file = state / "body.json"
    file.write_text(json.dumps(body))
    return file


async def tried(state: Path, name: str, body: Any, *args: str) -> Any:
    file = prepared(state, body)
    return await trunkline(state, "hooks", "test", name, "--body", str(file), *args)


async def test_a_mapping_shows_the_turn_that_it_makes(state: Path) -> None:
    more = ("--header", "X-Event: push", "--query", "k=v")
    result = await tried(state, "github", {"title": "{{path}}"}, *more)
    assert result.code == 0, result.err
    made = json.loads(result.out)
    assert (made["action"], made["message"]) == ("agent", "push v: {{path}}")
    wake = await tried(state, "wake", {"text": "x"})
    assert json.loads(wake.out)["action"] == "wake"


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("none", {}, "no mapping in hooks.mappings matches none"),
        ("broken", {}, "hooks.mappings[1] (/hooks/broken)"),
        ("agent", {}, "refused with 400: message required"),
    ],
)
async def test_what_would_be_refused_is_refused(
    state: Path, name: str, body: Any, text: str
) -> None:
    result = await tried(state, name, body)
    assert (result.code, text in result.err) == (1, True)
