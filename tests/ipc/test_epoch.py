"""The time as messages carry it."""

from __future__ import annotations

import time

import pytest

from ipc.epoch import now_ms


def test_the_time_is_in_whole_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.9999)
    assert now_ms() == 1_700_000_000_999
    assert isinstance(now_ms(), int)
