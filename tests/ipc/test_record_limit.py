"""How many records of one kind are written, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.record_limit import BURST, KINDS, PER_SECOND, RecordLimit, limiter


def written(records: list[tuple[float, str]]) -> list[tuple[float, str]]:
    limit = RecordLimit(burst=2, per_second=1)
    return [(now, event) for now, event in records if limit.allows((event,), now)]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([(0, "a"), (0, "a")], [(0, "a"), (0, "a")], id="a burst is written"),
        pytest.param([(0, "a")] * 9, [(0, "a")] * 2, id="a flood is not"),
        pytest.param(
            [(0, "a")] * 9 + [(1, "a")] * 9, [(0, "a")] * 2 + [(1, "a")], id="what goes on is shown"
        ),
        pytest.param(
            [(0, "a")] * 9 + [(0, "b")], [(0, "a")] * 2 + [(0, "b")], id="other kinds are written"
        ),
    ],
)
def test_each_kind_of_record_has_a_limit_of_its_own(
    records: list[tuple[float, str]], expected: list[tuple[float, str]]
) -> None:
    assert written(records) == expected


def test_kinds_without_end_share_one_allowance() -> None:
    limit = RecordLimit(burst=1, per_second=0.001)
    taken = [limit.allows((f"text {number}",), 0.0) for number in range(10 * KINDS)]
    assert sum(taken) == KINDS + 1
    assert limit.pop_hidden() == {"other records": 9 * KINDS - 1}
    assert limit.pop_hidden() == {}


def test_a_day_of_a_flood_fits_into_one_file() -> None:
    limit, line = RecordLimit(), 300
    lines = sum(limit.allows(("flood",), second / 10) for second in range(24 * 3600 * 10))
    assert lines * line < 10_000_000
    assert lines == pytest.approx(BURST + 24 * 3600 * PER_SECOND, abs=2)


class Dropped(Exception):
    pass


def test_the_next_record_says_how_many_were_not_written() -> None:
    now = [0.0]
    process = limiter(Dropped, lambda: now[0])

    def write(event: str, **fields: Any) -> dict[str, Any]:
        return dict(process(None, "warning", {"event": event, **fields}))

    for _ in range(int(BURST)):
        write("frame refused", peer="x")
    for _ in range(7):
        with pytest.raises(Dropped):
            write("frame refused", peer="y")  # what a peer chooses makes no kind of its own
    assert write("stopping")["suppressed"] == {"frame refused": 7}
    assert "suppressed" not in write("stopping")
    assert write("frame refused", account="irc:a")["account"] == "irc:a"
    now[0] += 1 / PER_SECOND
    assert write("frame refused")["event"] == "frame refused"
