"""Links for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.links import LinkRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LinkRig]:
    rig = LinkRig(tmp_path)
    yield rig
    assert all(link.closed for link in rig.links), "the test closes its links"
