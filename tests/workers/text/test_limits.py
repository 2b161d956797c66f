from __future__ import annotations

from collections.abc import Callable

import pytest

from workers.text.limits import Pace, Rate, Text


@pytest.mark.parametrize(
    ("make", "about"),
    [
        (lambda: Text(limit=63), "limit: 63 is less than 64"),
        (lambda: Text(limit=-1), "limit: -1 is less than 64"),
        (lambda: Text(limit=4096, caption=1), "caption: 1 is less than 64"),
        (lambda: Text(unit="words"), "unit: 'words' is none of chars, utf16, bytes"),  # type: ignore[arg-type]
        (lambda: Text(dialect="rtf"), "dialect: 'rtf' is none of plain, telegram-html"),  # type: ignore[arg-type]
        (lambda: Rate(0), "1 or more"),
        (lambda: Rate(1, 0), "1 or more"),
        (lambda: Rate(1, float("nan")), "1 or more"),
        (lambda: Rate(1, float("inf")), "1 or more"),
    ],
)
def test_what_no_platform_can_mean_is_refused(make: Callable[[], object], about: str) -> None:
    with pytest.raises(ValueError, match=about):
        make()


def test_a_manifest_need_not_declare_anything() -> None:
    assert Text() == Text(limit=0, unit="chars", caption=0, dialect="plain")
    assert Pace() == Pace(account=None, chat=None, group=None)


def test_limits_are_values() -> None:
    assert Text(64, "utf16", 64, "telegram-html") == Text(64, "utf16", 64, "telegram-html")
    assert hash(Pace(chat=Rate(1), group=Rate(20, 60))) == hash(Pace(None, Rate(1), Rate(20, 60)))
