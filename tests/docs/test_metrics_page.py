"""docs/metrics.md has every figure, as it is in the code."""

from __future__ import annotations

from pathlib import Path

from tests.metrics_reference import live_families, page

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


async def test_the_page_is_what_a_live_metrics_shows() -> None:
    assert page(await live_families()) == PAGE.read_text(), "python -m tests.metrics_reference"
