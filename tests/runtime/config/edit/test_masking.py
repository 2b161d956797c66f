"""Secrets in a text: hidden behind marks, and put back where the marks return."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.config.edit.masking import MIN_SECRET, masked, restored
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
    assert restored(path, shown, values(path, text), known()) == text


def test_a_comment_that_repeats_a_secret_loses_it_unless_it_is_short() -> None:
    long, short = "x" * MIN_SECRET, "y" * (MIN_SECRET - 1)
    assert long not in masked(JSON5, f"{section(repr(long))} {long}", known())[0]
    assert masked(JSON5, f"{section(repr(short))} {short}", known())[0].endswith(short)


def test_a_reference_is_shown() -> None:
    text = section('{ source: "env", id: "P" }')
    assert masked(JSON5, text, known())[0] == text


def test_a_text_without_marks_is_not_even_parsed() -> None:
    assert restored(JSON5, "{ broken", {}, known()) == "{ broken"


@pytest.mark.parametrize("mark", [REDACTED, f"not {REDACTED}"])
def test_a_mark_where_no_secret_was_is_refused(mark: str) -> None:
    with pytest.raises(ConfigError, match=r"in key channels\.talk\.password is not valid"):
        restored(JSON5, section(f'"{mark}"'), {"channels": {"talk": {}}}, known())
