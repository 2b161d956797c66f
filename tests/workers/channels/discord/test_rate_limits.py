from __future__ import annotations

from workers.channels.discord.rate_limits import MOST_BUCKETS, RateLimits, seconds_of

POST, GET = "POST /channels/{}/messages", "GET /channels/{}"
FULL = {
    "X-RateLimit-Bucket": "abc",
    "X-RateLimit-Remaining": "0",
    "X-RateLimit-Reset-After": "4.5",
}


def test_a_full_bucket_is_waited_for_where_it_is_full() -> None:
    limits = RateLimits()
    limits.on_response(POST, "1", FULL, 100.0)
    assert limits.delay(POST, "1", 101.0) == 3.5
    assert limits.delay(POST, "2", 101.0) == 0, "another channel has a bucket of its own"
    assert limits.delay(GET, "1", 101.0) == 0
    assert limits.delay(POST, "1", 104.5) == 0


def test_routes_share_the_bucket_that_an_answer_names() -> None:
    limits = RateLimits()
    limits.on_response(GET, "1", FULL | {"X-RateLimit-Remaining": "3"}, 100.0)
    limits.on_response(POST, "1", FULL, 100.0)
    assert limits.delay(GET, "1", 100.0) == 4.5


def test_a_refusal_holds_one_bucket_or_all() -> None:
    limits = RateLimits()
    limits.on_refused(POST, "1", 2.0, 100.0, everywhere=False)
    assert (limits.delay(POST, "1", 100.0), limits.delay(POST, "2", 100.0)) == (2, 0)
    limits.on_refused(POST, "1", 3.0, 100.0, everywhere=True)
    assert (limits.delay(POST, "2", 100.0), limits.delay(GET, "", 100.0)) == (3, 3)


def test_few_buckets_are_remembered() -> None:
    limits = RateLimits()
    for number in range(MOST_BUCKETS + 1):
        limits.on_refused(POST, str(number), 9.0, 0.0, everywhere=False)
    assert limits.delay(POST, "0", 0.0) == 0
    assert limits.delay(POST, "1", 0.0) == 9


def test_headers_that_state_no_time_are_none() -> None:
    texts = [None, "", "x", "-1", "nan", "1e9", "0.25"]
    assert [seconds_of(text) for text in texts] == [None, None, None, None, None, None, 0.25]
