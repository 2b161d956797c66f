"""What HTTP requests may take: places, a rate, memory."""

from __future__ import annotations

import pytest

from runtime.config.http_model import IngressConfig
from runtime.gateway.accounts.http_bounds import Crowded, HttpBounds

MIB = 1 << 20


def bounds(**config: float) -> HttpBounds:
    made = HttpBounds()
    made.configure(IngressConfig(**config))  # type: ignore[arg-type]
    return made


def refusal(made: HttpBounds, key: str, size: int = 0, now: float = 0.0) -> tuple[str, float]:
    with pytest.raises(Crowded) as caught:
        made.admit(key, size, now)
    return caught.value.reason, caught.value.retry_after


def test_an_account_has_so_many_places_and_another_its_own() -> None:
    made = bounds(in_flight=2)
    first, _ = made.admit("a:1", 0, 0.0), made.admit("a:1", 0, 0.0)
    assert refusal(made, "a:1") == ("in flight", 1.0)
    made.admit("a:2", 0, 0.0)
    first.release()
    made.admit("a:1", 0, 0.0)
    assert (made.in_flight, made.requests) == (3, 4)


def test_a_place_is_free_when_its_last_holder_gives_it_up() -> None:
    made = bounds(in_flight=1)
    place = made.admit("a:1", 0, 0.0)
    place.reserve(10)
    place.retain()
    place.release()
    assert refusal(made, "a:1")[0] == "in flight"
    assert made.memory.held == 10
    place.release()
    assert (made.in_flight, made.memory.held) == (0, 0)
    made.admit("a:1", 0, 0.0)


def test_a_request_whose_body_does_not_come_gives_its_place_to_the_next() -> None:
    made, lost = bounds(in_flight=2), list[str]()
    first, second = made.admit("a:1", 9, 0.0), made.admit("a:1", 9, 0.5)
    first.begin_body(0.0, lambda: lost.append("first"))
    second.begin_body(0.5, lambda: lost.append("second"))
    first.reserve(9)
    assert refusal(made, "a:1", now=0.9)[0] == "in flight"  # they have had no time yet
    third = made.admit("a:1", 0, 1.0)
    assert (lost, first.lost, second.lost) == (["first"], True, False)
    assert (made.in_flight, made.memory.held) == (2, 0)
    with pytest.raises(Crowded, match="too slowly"):
        first.reserve(1)
    first.on_body_end()
    first.release()
    second.on_body_end()  # from now on it is the worker that it waits for
    assert refusal(made, "a:1", now=100.0)[0] == "in flight"
    second.release()
    third.release()
    assert (made.in_flight, made.memory.held) == (0, 0)


def test_one_that_is_refused_for_another_reason_takes_no_place_over() -> None:
    made = bounds(in_flight=1, per_second=1)
    slow = made.admit("a:1", 9, 0.0)
    slow.begin_body(-10.0, lambda: None)
    assert refusal(made, "a:1", now=0.1)[0] == "rate"
    assert refusal(made, "a:1", 1 << 40, now=5.0)[0] == "disk"
    assert not slow.lost
    slow.release()
    made.admit("a:1", 0, 5.0)


def test_the_rate_allows_a_second_of_it_at_once_and_says_when_to_come_again() -> None:
    made = bounds(per_second=4, in_flight=64)
    for _ in range(4):
        made.admit("a:1", 0, 10.0)
    assert refusal(made, "a:1", now=10.0) == ("rate", 0.25)
    made.admit("a:1", 0, 10.25)
    assert refusal(made, "a:1", now=10.25)[0] == "rate"
    made.admit("a:2", 0, 10.25)
    made.forget("a:1")
    made.admit("a:1", 0, 10.25)


def test_a_refused_request_takes_nothing() -> None:
    made = bounds(in_flight=1, per_second=2)
    place = made.admit("a:1", 0, 0.0)
    for _ in range(10):
        refusal(made, "a:1")
    place.release()
    made.admit("a:1", 0, 0.0)


def test_one_account_leaves_as_much_memory_free_as_it_takes() -> None:
    made = bounds(total_bytes=8 * MIB, in_flight=64)
    greedy = made.admit("a:1", 0, 0.0)
    greedy.reserve(4 * MIB)
    with pytest.raises(Crowded):
        greedy.reserve(1)
    assert refusal(made, "a:1", 1)[0] == "memory"
    second = made.admit("a:2", MIB, 0.0)
    second.reserve(2 * MIB)
    assert refusal(made, "a:2", 1)[0] == "memory"
    made.admit("a:3", MIB, 0.0)
    made.admit("a:1", 0, 0.0)  # without a body
    greedy.release()
    second.release()
    assert made.memory.held == 0


def test_a_body_that_moves_to_the_disk_gives_its_memory_back() -> None:
    made = bounds(disk_bytes=4 * MIB)
    place = made.admit("a:1", 3 * MIB, 0.0)
    place.reserve(MIB)
    place.move_to_disk()
    place.reserve_disk(MIB)
    assert (made.memory.held, made.disk.held) == (0, 2 * MIB)
    with pytest.raises(Crowded, match="on the disk"):
        place.reserve_disk(1)
    assert refusal(made, "a:2", 2 * MIB + 1)[0] == "disk"
    made.admit("a:2", MIB, 0.0)  # which is to be in memory
    place.release()
    assert made.disk.held == 0


def test_new_bounds_count_at_once() -> None:
    made = bounds(in_flight=1, per_second=1)
    made.admit("a:1", 0, 0.0)
    assert refusal(made, "a:1")[0] == "in flight"
    made.configure(IngressConfig(in_flight=2))
    made.admit("a:1", 0, 0.0)


def test_refusals_are_counted_by_reason_from_the_start() -> None:
    made = HttpBounds()
    assert set(made.refused.values()) == {0}
    made.count_refusal("rate")
    assert made.refused["rate"] == 1
