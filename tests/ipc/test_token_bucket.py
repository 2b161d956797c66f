"""A rate with bursts: no window holds more, no wait is too short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ipc.token_bucket import TokenBucket


@given(
    st.integers(1, 10),
    st.floats(0.1, 20),
    st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=60),
)
def test_no_window_holds_more_than_the_burst_and_the_rate(
    burst: int, rate: float, steps: list[tuple[float, bool]]
) -> None:
    bucket, now, taken = TokenBucket(burst, rate, 0.0), 0.0, []
    for wait, jump in steps:
        now += wait if jump else bucket.delay(now)
        if bucket.reserve(now):
            taken.append(now)
    for index, start in enumerate(taken):
        for count, end in enumerate(taken[index:], 1):
            assert count <= burst + (end - start) * rate + 1e-6


@given(st.integers(1, 10), st.floats(0.1, 20), st.integers(0, 30))
def test_after_the_wait_there_is_a_token(burst: int, rate: float, taken: int) -> None:
    bucket = TokenBucket(burst, rate, 0.0)
    for _ in range(taken):
        bucket.overdraw(0.0)
    assert bucket.reserve(bucket.delay(0.0))


def test_a_bucket_refills_up_to_its_burst() -> None:
    bucket = TokenBucket(burst=4, rate=2)
    assert [bucket.reserve(100.0) for _ in range(5)] == [True] * 4 + [False]
    assert not bucket.reserve(100.4)
    assert bucket.reserve(100.6)
    assert [bucket.reserve(900.0) for _ in range(5)] == [True] * 4 + [False]


def test_an_amount_is_taken_whole_or_not_at_all() -> None:
    bucket = TokenBucket(burst=10, rate=1)
    assert not bucket.reserve(0.0, 11)
    assert bucket.reserve(0.0, 10)
    assert not bucket.reserve(4.0, 5)
    assert bucket.reserve(5.0, 5)


def test_up_to_an_amount_is_taken_in_whole_tokens() -> None:
    bucket = TokenBucket(burst=3, rate=1)
    assert bucket.reserve_up_to(0.0, 2) == 2
    assert bucket.reserve_up_to(0.5, 5) == 1
    assert bucket.reserve_up_to(0.5, 5) == 0
    assert bucket.reserve_up_to(1.5, 5) == 1


def test_a_debt_leaves_nothing_to_take_up_to() -> None:
    bucket = TokenBucket(burst=1, rate=1)
    bucket.reserve(0.0)
    bucket.overdraw(0.0)
    assert bucket.reserve_up_to(0.5, 3) == 0
    assert bucket.delay(0.5) == 1.5


def test_a_debt_is_one_token_at_a_time_and_one_burst_at_most() -> None:
    bucket = TokenBucket(burst=2, rate=1)
    assert bucket.delay(0.0) == 0
    waits = []
    for _ in range(6):
        bucket.overdraw(0.0)
        waits.append(bucket.delay(0.0))
    assert waits == [0, 1, 2, 3, 3, 3]


def test_a_bucket_reports_when_it_is_full_again() -> None:
    bucket = TokenBucket(burst=2, rate=1)
    assert bucket.full(0.0)
    bucket.reserve(0.0)
    assert not bucket.full(0.9)
    assert bucket.full(1.0)
