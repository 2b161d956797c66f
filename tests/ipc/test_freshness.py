"""What was made lives for so long, whichever way the clock is set meanwhile."""

from __future__ import annotations

import pytest

from ipc.freshness import is_fresh


@pytest.mark.parametrize(
    ("now", "fresh"), [(1000, True), (1059.9, True), (1060, False), (940, False), (940.1, True)]
)
def test_what_lies_ahead_is_as_old_as_what_has_passed(now: float, fresh: bool) -> None:
    assert is_fresh(1000, 60, now) is fresh
