"""How often a wrong secret may be tried."""

from runtime.gateway.access.throttle import MAX_ADDRESSES, Throttle

HERE, THERE = "127.0.0.1", "203.0.113.7"


def test_each_failure_from_loopback_is_answered_twice_as_late() -> None:
    throttle = Throttle()
    delays = [throttle.failed(HERE, True, float(n)) for n in range(7)]
    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert throttle.locked(HERE, True, 7.0) == 0.0


def test_ten_failures_in_a_minute_lock_an_address_for_five() -> None:
    throttle = Throttle()
    for number in range(9):
        throttle.failed(THERE, False, float(number))
    assert throttle.locked(THERE, False, 9.0) == 0.0
    throttle.failed(THERE, False, 9.0)
    assert throttle.locked(THERE, False, 10.0) == 299.0
    assert throttle.locked("203.0.113.8", False, 10.0) == 0.0
    assert throttle.locked(THERE, False, 309.0) == 0.0


def test_failures_that_are_older_than_the_window_do_not_count() -> None:
    throttle = Throttle(attempts=2, window=60.0)
    throttle.failed(THERE, False, 0.0)
    throttle.failed(THERE, False, 61.0)
    assert throttle.locked(THERE, False, 61.0) == 0.0


def test_success_forgets() -> None:
    throttle = Throttle()
    throttle.failed(HERE, True, 0.0)
    throttle.succeeded(HERE)
    assert throttle.failed(HERE, True, 1.0) == 0.25


def test_loopback_can_be_locked_too() -> None:
    throttle = Throttle(attempts=1, exempt_loopback=False)
    assert throttle.failed(HERE, True, 0.0) == 0.0
    assert throttle.locked(HERE, True, 0.0) == 300.0


def test_many_addresses_do_not_take_all_memory() -> None:
    throttle = Throttle(attempts=1)
    for number in range(MAX_ADDRESSES + 10):
        throttle.failed(f"address {number}", False, 0.0)
    assert len(throttle._records) <= MAX_ADDRESSES
