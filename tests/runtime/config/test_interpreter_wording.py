"""Each sentence about an interpreter names it, and the command that mends it."""

from __future__ import annotations

import pytest

from runtime.config.interpreter_wording import absent, missing, no_program, other_wire, too_old

PYTHON = "/srv/venv/bin/python"


@pytest.mark.parametrize(
    ("sentence", "command"),
    [
        (missing(PYTHON, "why"), f"{PYTHON} -m pip install trunkline"),
        (other_wire(PYTHON, "2.0"), f"{PYTHON} -m pip install trunkline"),
        (no_program(PYTHON, "why"), "-m venv /srv/venv && "),
        (too_old(PYTHON, (3, 9)), "-m venv /srv/venv"),
        (absent(PYTHON), f"{PYTHON} -m pip install PACKAGE"),
    ],
)
def test_the_command_is_in_the_sentence(sentence: str, command: str) -> None:
    assert PYTHON in sentence
    assert command in sentence
    assert "\n" not in sentence
