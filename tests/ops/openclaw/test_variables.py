"""Variables in texts of OpenClaw."""

from __future__ import annotations

from typing import Any

import pytest

from ops.openclaw.variables import Filled, Variables, fill, read_dotenv, variable_alone

VARIABLES = Variables({"A": "a", "EMPTY": ""}, {"A": "late", "B": "b"}, {"B": "late", "C": "c"})


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("plain $A", Filled("plain $A")),
        ("x${A}y${B}", Filled("xayb", ["A", "B"])),
        ("${C}", Filled("c", ["C"], inline=["C"])),
        ("${NONE} ${A}", Filled("${NONE} a", ["A"], ["NONE"])),
        ("${EMPTY}", Filled("${EMPTY}", [], ["EMPTY"])),
        ("$${A}", Filled("${A}")),
        ("${lower}", Filled("${lower}")),
        ({"x": ["${A}", 1, None]}, Filled({"x": ["a", 1, None]}, ["A"])),
    ],
)
def test_variables_are_filled_as_openclaw_fills_them(value: Any, filled: Filled) -> None:
    assert fill(value, VARIABLES) == filled


def test_one_that_the_environment_has_is_not_inline() -> None:
    assert VARIABLES.is_inline("C")
    assert not VARIABLES.is_inline("B")


@pytest.mark.parametrize(
    ("text", "name"), [("${A_1}", "A_1"), ("$A", "A"), ("x${A}", None), ("$a", None), ("", None)]
)
def test_a_variable_that_stands_alone_is_known(text: str, name: str | None) -> None:
    assert variable_alone(text) == name


def test_a_dotenv_file_is_read() -> None:
    text = "# no\nA=1\nexport B = 'two words'\nnonsense\n\nC=\"x\"\nD=\n#E=1"
    assert read_dotenv(text) == {"A": "1", "B": "two words", "C": "x", "D": ""}
