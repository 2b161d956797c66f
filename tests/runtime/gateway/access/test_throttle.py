"""How often a wrong secret may be tried."""

import pytest

from runtime.gateway.access.throttle import MAX_ADDRESSES, SUCCESS_DELAY, Attempts, Throttle

HERE, THERE = "127.0.0.1", "203.0.113.7"


def test_each_failure_from_loopback_is_answered_twice_as_late() -> None:
    throttle = Throttle()
    delays = [throttle.record_failure(HERE, True, float(n)) for n in range(7)]
    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert throttle.locked(HERE, True, 7.0) == 0.0


def test_ten_failures_in_a_minute_lock_an_address_for_five() -> None:
    throttle = Throttle()
    for number in range(9):
        throttle.record_failure(THERE, False, float(number))
    assert throttle.locked(THERE, False, 9.0) == 0.0
    throttle.record_failure(THERE, False, 9.0)
    assert throttle.locked(THERE, False, 10.0) == 299.0
    assert throttle.locked("203.0.113.8", False, 10.0) == 0.0
    assert throttle.locked(THERE, False, 309.0) == 0.0


def test_failures_that_are_older_than_the_window_do_not_count() -> None:
    throttle = Throttle(attempts=2, window=60.0)
    throttle.record_failure(THERE, False, 0.0)
    throttle.record_failure(THERE, False, 61.0)
    assert throttle.locked(THERE, False, 61.0) == 0.0


@pytest.mark.parametrize(
    ("failures", "now", "delay"),
    [
        ([], 1.0, 0.0),
        ([0.0], 0.0, SUCCESS_DELAY),
        ([0.0], 9.9, SUCCESS_DELAY),
        ([0.0], 10.0, 0.0),
        ([0.0, 5.0], 14.9, SUCCESS_DELAY),
        ([float(n) / 10 for n in range(50)], 5.0, SUCCESS_DELAY),  # never more than that
    ],
)
@pytest.mark.parametrize("loopback", [True, False])
def test_a_right_secret_is_late_while_the_address_has_failed_lately(
    failures: list[float], now: float, delay: float, loopback: bool
) -> None:
    throttle = Throttle(attempts=1000)
    for at in failures:
        throttle.record_failure(HERE, loopback, at)
    assert throttle.success_delay(HERE, now) == delay
    assert throttle.success_delay(THERE, now) == 0.0


@pytest.mark.parametrize(
    ("steps", "in_flight"),
    [
        # b: it begins, e: it ends; what is in flight then, of a limit of two
        ("b1 b2 b3 b4", "12"),
        ("b1 b2 b3 b4 e1", "23"),
        ("b1 b2 b3 b4 e2 e1", "34"),
        ("b1 b2 b3 b4 e3 e1", "24"),  # one that waited is gone
        ("b1 b2 b3 e1 e1 e1", "23"),  # twice is once
        ("b1 b2 b3 e9", "12"),
        ("b1 b2 e1 e2", ""),
        ("b1 b2 e1 e2 b5", "5"),
        ("e1", ""),
    ],
)
def test_a_few_attempts_of_an_address_are_in_flight_and_the_others_wait_in_turn(
    steps: str, in_flight: str
) -> None:
    attempts, found = Attempts(2), set[object]()
    assert attempts.begin(THERE, "of another address")
    for step in steps.split():
        if step[0] == "b":
            if attempts.begin(HERE, step[1]):
                found.add(step[1])
        else:
            found.discard(step[1])
            found |= {attempts.end(HERE, step[1])} - {None}
    assert found == set(in_flight)


def test_addresses_without_attempts_are_forgotten() -> None:
    attempts = Attempts()
    for number in range(100):
        attempts.begin(f"address {number}", 1)
        attempts.end(f"address {number}", 1)
    assert not attempts._queues  # a leak shows nowhere else


def test_loopback_can_be_locked_too() -> None:
    throttle = Throttle(attempts=1, exempt_loopback=False)
    assert throttle.record_failure(HERE, True, 0.0) == 0.0
    assert throttle.locked(HERE, True, 0.0) == 300.0


def test_many_addresses_do_not_take_all_memory() -> None:
    throttle = Throttle(attempts=1)
    for number in range(MAX_ADDRESSES + 10):
        throttle.record_failure(f"address {number}", False, 0.0)
    assert len(throttle._records) <= MAX_ADDRESSES  # a leak shows nowhere else


def test_an_address_that_is_forgotten_is_a_new_one() -> None:
    throttle = Throttle(attempts=2)
    throttle.record_failure("a", False, 0.0)
    throttle.record_failure("a", False, 0.0)
    assert throttle.locked("a", False, 1.0) > 0
    throttle.forget("a")
    throttle.forget("nobody")
    assert throttle.locked("a", False, 1.0) == 0
    throttle.record_failure("a", False, 1.0)
    assert throttle.locked("a", False, 1.0) == 0
