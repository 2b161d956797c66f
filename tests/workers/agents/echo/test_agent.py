"""The echo agent answers with the same text, and nothing to nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from workers.agent import Final, Turn
from workers.agents.echo import manifest
from workers.agents.echo.agent import Echo


@pytest.mark.parametrize(
    ("text", "answer"), [("hello", "echo: hello"), ("  ", "echo:   "), ("", "")]
)
async def test_echo_answers_with_the_same_text(text: str, answer: str) -> None:
    agent = Echo(cast(Any, None))
    turn = Turn("r", "s", "echo", text, 1)
    assert [each async for each in agent.turn(turn)] == [Final(answer)]


def test_the_manifest_names_the_class() -> None:
    assert manifest.id == "echo"
    assert manifest.agent == f"{Echo.__module__}:{Echo.__qualname__}"
    assert manifest.unconfigured({}) is None
