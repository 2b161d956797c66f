"""The words that both ends of a link spell alike."""

from __future__ import annotations

import os

import msgspec
import orjson
import pytest

from ipc.frames import words
from ipc.frames.words import ALIVE, Phase


def test_a_phase_is_its_word_on_every_wire() -> None:
    assert [str(phase) for phase in Phase] == [
        "stopped",
        "starting",
        "running",
        "stopping",
        "backoff",
        "failed",
    ]
    for phase in Phase:
        assert msgspec.json.encode(phase) == orjson.dumps(str(phase)) == f'"{phase}"'.encode()


def test_a_phase_from_the_wire_is_found_among_phases() -> None:
    """Rows carry plain strings: they must compare and hash like the members."""
    assert "running" in ALIVE
    assert "backoff" not in ALIVE


@pytest.mark.parametrize(
    ("ours", "sysexits"),
    [
        (words.EXIT_TEMPORARY, os.EX_TEMPFAIL),
        (words.EXIT_NEEDS_LOGIN, os.EX_NOPERM),
        (words.EXIT_CONFIG, os.EX_CONFIG),
        (words.EXIT_OK, os.EX_OK),
    ],
)
def test_exit_codes_are_those_of_sysexits(ours: int, sysexits: int) -> None:
    assert ours == sysexits


def test_error_codes_are_spelt_as_they_are_named() -> None:
    for name in ("INVALID_REQUEST", "UNAVAILABLE", "NOT_PAIRED", "FORBIDDEN", "NOT_CONNECTED"):
        assert getattr(words, name) == name


def test_the_command_for_a_worker_is_that_of_its_kind() -> None:
    assert words.command_for("irc:a", "start") == "trunkline channels start irc:a"
    assert words.command_for("agent:main", "describe") == "trunkline agents describe main"
