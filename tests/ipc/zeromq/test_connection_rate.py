"""Which workers connect too often."""

from __future__ import annotations

import pytest

from ipc.zeromq.connection_rate import MOST, WINDOW_SECONDS, ConnectionRate

START = 1000.0


def rate(counts: dict[str, int], at: float = START) -> ConnectionRate:
    found = ConnectionRate()
    for name, count in counts.items():
        for _ in range(count):
            found.record(name, at)
    return found


def test_only_workers_with_more_connections_than_are_allowed_are_found() -> None:
    found = rate({"irc:a#1": MOST, "irc:b#1": MOST + 1, "irc:c#1": 1})
    assert found.excessive(START) == {"irc:b#1": MOST + 1}


@pytest.mark.parametrize(
    ("windows", "known"), [(0.9, True), (1.0, True), (1.9, True), (2.0, False), (50.0, False)]
)
def test_a_worker_is_found_until_the_window_after_is_over(windows: float, known: bool) -> None:
    found = rate({"irc:a#1": MOST + 1})
    now = START + windows * WINDOW_SECONDS
    for at in (now, now + 0.01):
        assert found.excessive(at) == ({"irc:a#1": MOST + 1} if known else {})


def test_connections_of_different_windows_are_not_added_up() -> None:
    found = rate({"irc:a#1": MOST})
    found.record("irc:a#1", START + WINDOW_SECONDS)
    assert found.excessive(START + WINDOW_SECONDS) == {}


def test_a_removed_account_is_forgotten_and_one_that_was_added_again_is_not() -> None:
    often = dict.fromkeys(("irc:a#1", "irc:a#2", "irc:ab#1"), MOST + 1)
    found = rate(often)
    found.record("irc:a#2", START + WINDOW_SECONDS)  # the others are of the window before
    found.forget("irc:a", 1)
    assert found.excessive(START + WINDOW_SECONDS) == {
        "irc:a#2": MOST + 1,
        "irc:ab#1": MOST + 1,
    }
    found.forget("irc:a", 2)
    assert found.excessive(START + WINDOW_SECONDS) == {"irc:ab#1": MOST + 1}
