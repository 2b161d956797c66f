"""docs/fields.md has every field of the configuration, as it is in the code."""

from __future__ import annotations

from pathlib import Path

from tests.fields_reference import page

PAGE = Path(__file__).parents[2] / "docs" / "fields.md"


def test_the_page_is_what_the_structs_say() -> None:
    assert page() == PAGE.read_text(), "python -m tests.fields_reference"
