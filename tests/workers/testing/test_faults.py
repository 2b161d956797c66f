"""The faults of a fake platform."""

from __future__ import annotations

from typing import Any

import pytest

from workers.testing.faults import Fault


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "earthquake"}, "'earthquake' is none of rate_limited"),
        ({"kind": "slow", "seconds": -1}, "0 or more"),
        ({"kind": "slow", "times": -1}, "0 or more"),
    ],
)
def test_a_fault_that_there_is_not_is_refused(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Fault(**fields)
