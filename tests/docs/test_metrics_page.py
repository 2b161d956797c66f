"""docs/metrics.md has every figure, as it is in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.links import PAGES, ROOT
from tests.metrics_reference import live_families, page

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
NAME = re.compile(r"\btrunkline_[a-z_]+[a-z]\b")
PACKAGES = {"trunkline_udp", "trunkline_pigeon", "trunkline_shout"}  # of examples


async def test_the_page_is_what_a_live_metrics_shows() -> None:
    assert page(await live_families()) == PAGE.read_text(), "python -m tests.metrics_reference"


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_that_a_page_names_exists(page: str) -> None:
    named = set(NAME.findall((ROOT / page).read_text())) - PACKAGES
    assert named <= set(NAME.findall(PAGE.read_text()))
