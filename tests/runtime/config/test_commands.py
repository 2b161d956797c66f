"""Which options a command gets that is part of a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.commands import for_runtime, options_of
from runtime.config.places import Flags

BLUE = Flags(profile="blue")


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (Flags(), []),
        (BLUE, ["--profile", "blue"]),
        (Flags(dev=True), ["--dev"]),
        (
            Flags(state_dir=Path("/a b"), config_path=Path("/c")),
            ["--state-dir", "/a b", "--config", "/c"],
        ),
        (Flags(port=5, token="t"), []),
    ],
)
def test_the_options_of_a_runtime(flags: Flags, options: list[str]) -> None:
    assert options_of(flags) == options


@pytest.mark.parametrize(
    ("flags", "text", "expected"),
    [
        (Flags(), "`trunkline up`", "`trunkline up`"),
        (BLUE, "`trunkline up`", "`trunkline --profile blue up`"),
        (BLUE, "trunkline down and up", "trunkline --profile blue down and up"),
        (Flags(state_dir=Path("/a b")), "`trunkline up`", "`trunkline --state-dir '/a b' up`"),
        (BLUE, "`trunkline --profile red up`", "`trunkline --profile red up`"),
        (BLUE, "trunkline: /x/trunkline is a bug in trunkline.", None),
        (BLUE, "Trunkline 1.0 is up, /bin/trunkline up", None),
    ],
)
def test_commands_in_a_sentence_get_the_flags_of_the_runtime(
    flags: Flags, text: str, expected: str | None
) -> None:
    assert for_runtime(text, flags) == (expected or text)
    assert for_runtime(for_runtime(text, flags), flags) == (expected or text)
