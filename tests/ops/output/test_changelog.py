"""The changelog, by its versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.output.changelog import changes, number, versions

TEXT = """# Changelog

## [Unreleased]

* next

## [0.10.0] - 2026-12-01

* ten

## [0.2.0]

* two

## [0.1.0]

* one
"""


def test_what_changed_is_found_by_version() -> None:
    assert versions(TEXT) == {
        "Unreleased": "* next",
        "0.10.0": "* ten",
        "0.2.0": "* two",
        "0.1.0": "* one",
    }


@pytest.mark.parametrize(
    ("running", "installed", "found"),
    [
        ("0.1.0", "0.10.0", ["0.10.0", "0.2.0"]),
        ("0.1.0", "0.2.0", ["0.2.0"]),
        ("0.2.0", "0.2.0", []),
        ("0.10.0", "0.2.0", []),
        ("0+source", "0.1.0", ["0.1.0"]),
    ],
)
def test_what_changed_between_two_versions(running: str, installed: str, found: list[str]) -> None:
    assert list(changes(TEXT, running, installed)) == found


def test_versions_are_compared_by_their_numbers() -> None:
    assert number("0.10.0") > number("0.9.9")
    assert number("1.2.3rc1") == (1, 2, 3)
    assert number("source") == ()


def test_our_own_changelog_has_its_versions() -> None:
    text = (Path(__file__).parents[3] / "CHANGELOG.md").read_text()
    assert next(iter(versions(text))) == "Unreleased"
