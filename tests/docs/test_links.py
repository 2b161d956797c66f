"""Every link of the documents leads to a file, and to a heading that is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.links import PAGES, ROOT, anchors, links


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for target, anchor in links(ROOT / page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target.name}{anchor}"


def test_a_link_to_a_missing_heading_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n\n## Two words, `code`\n\n[a](#two-words-code) [b](page.md#three)\n")
    assert [anchor in anchors(target) for target, anchor in links(page)] == [True, False]
