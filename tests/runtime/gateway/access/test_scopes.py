"""Permissions, and the table that they cut out."""

import pytest

from runtime.gateway.access.scopes import ADMIN, READ, WRITE, covers


@pytest.mark.parametrize(
    ("granted", "needed", "answer"),
    [
        ([], None, True),
        ([], READ, False),
        ([READ], READ, True),
        ([READ], WRITE, False),
        ([WRITE], READ, True),
        ([WRITE], ADMIN, False),
        ([ADMIN], "operator.pairing", True),
    ],
)
def test_admin_includes_all_and_write_includes_read(
    granted: list[str], needed: str | None, answer: bool
) -> None:
    assert covers(granted, needed) is answer
