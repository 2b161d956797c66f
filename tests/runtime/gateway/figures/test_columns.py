"""The frames of ``channel.figures``: what they say, in how few bytes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.frames.status import AccountStatus
from runtime.gateway.figures.columns import NAMES, FigureColumns, grown


def status(key: str, **more: Any) -> AccountStatus:
    channel, _, name = key.partition(":")
    return AccountStatus(account=key, channel=channel, account_id=name, **more)


def rows(**more: dict[str, Any]) -> dict[str, AccountStatus]:
    return {f"irc:{name}": status(f"irc:{name}", **each) for name, each in more.items()}


def test_the_first_frame_has_the_keys_and_the_next_ones_only_the_rows_that_changed() -> None:
    columns = FigureColumns()
    before = rows(a={"rss_bytes": 4096, "messages_in": 7}, b={"cpu_percent": 1.26})
    assert columns.next(before, 1000) == {
        "ts": 1000,
        "since": 0,
        "revision": 1,
        "keys": ["irc:a", "irc:b"],
        "rss": [4, None],
        "cpu": [None, 1.3],
        "lag": [None, None],
        "queued": [0, 0],
        "in": [0, 0],
        "out": [0, 0],
        "dropped": [0, 0],
    }
    after = before | rows(b={"cpu_percent": 1.3, "messages_in": 5, "dropped": {"full": 2}})
    found = columns.next(after, 6000)
    assert (found["since"], found["revision"], found["rows"]) == (5000, 1, [1])
    assert [found[name] for name in NAMES] == [[None], [1.3], [None], [0], [5], [0], [2]]
    assert columns.next(after, 11_000)["rows"] == []


def test_places_are_those_of_the_keys_that_were_sent_in_whatever_order_rows_come() -> None:
    columns = FigureColumns()
    columns.next(rows(a={}, b={}), 0)
    found = columns.next(rows(b={"queued": 3}, a={}), 1)
    assert (found["rows"], found["queued"]) == ([1], [3])


def test_other_accounts_are_another_revision() -> None:
    columns = FigureColumns()
    columns.next(rows(a={"messages_in": 1}), 0)
    found = columns.next(rows(a={"messages_in": 3}, b={"messages_in": 9}), 1)
    assert (found["revision"], found["keys"], found["in"]) == (2, ["irc:a", "irc:b"], [2, 0])
    assert columns.whole(2) | {"ts": 0} == {
        "ts": 0,
        "since": 0,
        "revision": 2,
        "keys": ["irc:a", "irc:b"],
        "rss": [None] * 2,
        "cpu": [None] * 2,
        "lag": [None] * 2,
        "queued": [0, 0],
        "in": [0, 0],
        "out": [0, 0],
        "dropped": [0, 0],
    }
    assert columns.next({}, 3)["keys"] == []


@pytest.mark.parametrize(("before", "now", "by"), [(3, 5, 2), (5, 5, 0), (5, 2, 2)])
def test_a_counter_that_is_smaller_has_begun_anew(before: int, now: int, by: int) -> None:
    assert grown(before, now) == by


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), min_size=1), max_size=9))
def test_who_adds_up_the_frames_has_counted_everything(looks: list[dict[str, int]]) -> None:
    columns, keys = FigureColumns(), [""]
    totals, seen, expected = dict.fromkeys("abc", 0), dict[str, int](), dict.fromkeys("abc", 0)
    for look in looks:
        table = rows(**{name: {"messages_in": count} for name, count in look.items()})
        for name, count in look.items():
            expected[name] += grown(seen[name], count) if name in seen else 0
        seen = look
        found = columns.next(table, 0)
        keys = found.get("keys", keys)
        for place, more in zip(found.get("rows", range(len(keys))), found["in"], strict=True):
            totals[keys[place].removeprefix("irc:")] += more
    assert totals == expected


def test_500_busy_accounts_take_less_than_10_kilobytes_a_second() -> None:
    columns, size = FigureColumns(), 0
    for second in range(0, 60, 2):
        busy = {
            f"irc:account-{number:03}": status(
                f"irc:account-{number:03}",
                rss_bytes=60_000_000 + second * 4096,
                cpu_percent=1.0 + (number + second) % 7 / 10,
                loop_lag_ms=0.1 * (number % 9),
                messages_in=10_000 + 2 * second,
                messages_out=10_000 + second,
            )
            for number in range(500)
        }
        size += len(msgspec.json.encode(columns.next(busy, second * 1000)))
    assert size / 60 < 10_000
