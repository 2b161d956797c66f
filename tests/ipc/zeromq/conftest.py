"""Links for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.links import LinkRig
from tests.support.short_directory import ShortDirectory


@pytest.fixture
def rig() -> Iterator[LinkRig]:
    with ShortDirectory() as place:
        rig = LinkRig(place)
        yield rig
    assert all(link.closed for link in rig.links), "the test closes its links"
