"""The time zone of the host."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runtime.gateway import host_zone as room
from runtime.gateway.host_zone import host_zone

HOURS = timedelta(hours=1)


def offsets() -> list[timedelta | None]:
    """Return how far the zone is from UTC in winter and in summer."""
    zone = host_zone()
    return [datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Europe/Berlin", [1 * HOURS, 2 * HOURS]),
        (":Asia/Tokyo", [9 * HOURS, 9 * HOURS]),
        ("/usr/share/zoneinfo/Europe/Berlin", [1 * HOURS, 2 * HOURS]),
    ],
)
def test_clocks_are_set_as_the_zone_of_the_host_says(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: list[timedelta]
) -> None:
    monkeypatch.setenv("TZ", name)
    assert offsets() == expected


def test_without_a_name_the_file_of_the_host_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(room, "LOCALTIME", "/usr/share/zoneinfo/America/New_York")
    assert offsets() == [-5 * HOURS, -4 * HOURS]


@pytest.mark.parametrize("name", ["no/such", "CET-1CEST,M3.5.0,M10.5.0", ""])
def test_what_is_no_zone_is_the_distance_of_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("TZ", name)
    monkeypatch.setattr(room, "LOCALTIME", str(tmp_path / "none"))
    now = datetime.now().astimezone()
    assert now.astimezone(host_zone()).utcoffset() == now.utcoffset()
