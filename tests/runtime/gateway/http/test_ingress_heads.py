"""Paths and headers of requests to accounts: understood in one way, or refused."""

from __future__ import annotations

import pytest

from ipc.frames.data import MAX_HTTP_HEAD_BYTES
from runtime.gateway.http.ingress_heads import (
    BadHead,
    answer_headers,
    read_target,
    request_headers,
)


@pytest.mark.parametrize(
    ("path", "key", "rest"),
    [
        ("/channels/webhook/ci/hook", "webhook:ci", "hook"),
        ("/channels/webhook/ci", "webhook:ci", ""),
        ("/channels/webhook/ci/", "webhook:ci", ""),
        ("/channels/webhook/ci//a//b/", "webhook:ci", "/a//b/"),
        ("/channels/webhook/ci/s%C3%BC%C3%9F%20x", "webhook:ci", "süß x"),
        ("/channels/webhook/ci/%252e%252e/a", "webhook:ci", "%2e%2e/a"),
        ("/channels/webhook/ci/..a/.b/c..", "webhook:ci", "..a/.b/c.."),
        ("/channels/webhook/%2e%2e/x", "webhook:%2e%2e", "x"),  # no account's name
    ],
)
def test_the_account_and_what_stands_behind_it(path: str, key: str, rest: str) -> None:
    assert read_target(path) == (key, rest)


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/channels/", 404, "/channels/CHANNEL/ACCOUNT/"),
        ("/channels/webhook", 404, "/channels/CHANNEL/ACCOUNT/"),
        ("/channels//ci/hook", 404, "/channels/CHANNEL/ACCOUNT/"),
        ("/channels/webhook//hook", 404, "/channels/CHANNEL/ACCOUNT/"),
        ("/channels/a/b/../c/d", 400, "segment"),
        ("/channels/a/b/.", 400, "segment"),
        ("/channels/a/b/%2e%2E/c", 400, "segment"),
        ("/channels/a/b/.%2e", 400, "segment"),
        ("/channels/a/b/x%2Fy", 400, "escaped slash"),
        ("/channels/a/b/..%2f..%2fetc", 400, "escaped slash"),
        ("/channels/a/b/x%5c..", 400, "backslash"),
        ("/channels/a/b/x\\..\\y", 400, "backslash"),
        ("/channels/a/b/%00", 400, "control character"),
        ("/channels/a/b/a%0d%0aX-Y:1", 400, "control character"),
        ("/channels/a/b/%ff", 400, "UTF-8"),
        ("/channels/a/b/\udcff", 400, "UTF-8"),
        ("/channels/a/b/%", 400, "begins no escape"),
        ("/channels/a/b/%zz", 400, "begins no escape"),
    ],
)
def test_a_path_that_could_mean_two_things_is_refused(path: str, status: int, why: str) -> None:
    with pytest.raises(BadHead, match=why) as caught:
        read_target(path)
    assert caught.value.status == status


def test_headers_that_concern_the_connection_stay_here() -> None:
    given = [
        ("Host", "chat.example"),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
        ("X-Twice", "a"),
        ("x-twice", "b"),
        ("Authorization", "Bearer x"),
        ("Cookie", "of=the-origin"),
        ("X-Odd", "a\udcffb"),
    ]
    assert request_headers(given, "", "") == [
        ("host", "chat.example"),
        ("x-twice", "a"),
        ("x-twice", "b"),
        ("authorization", "Bearer x"),
        ("x-odd", "a\ufffdb"),
    ]


@pytest.mark.parametrize(
    "given",
    [[("a", "b")] * 129, [("a", "b" * MAX_HTTP_HEAD_BYTES)]],
    ids=["too many", "too long"],
)
def test_headers_have_bounds(given: list[tuple[str, str]]) -> None:
    with pytest.raises(BadHead) as caught:
        request_headers(given, "", "")
    assert caught.value.status == 431


def test_path_and_query_count_too() -> None:
    with pytest.raises(BadHead):
        request_headers([], "p" * (MAX_HTTP_HEAD_BYTES // 2), "q" * (MAX_HTTP_HEAD_BYTES // 2 + 1))


def test_an_answer_may_not_speak_for_the_whole_origin() -> None:
    given = [
        ("Content-Type", "text/html"),
        ("X-Slack-No-Retry", "1"),
        ("Content-Length", "5"),
        ("Connection", "close"),
        ("Set-Cookie", "a=b"),
        ("content-security-policy", "default-src *"),
        ("X-Content-Type-Options", "sniff"),
        ("Strict-Transport-Security", "max-age=1"),
        ("Clear-Site-Data", '"*"'),
        ("Service-Worker-Allowed", "/"),
        ("Accept-CH", "Device-Memory"),
        ("Set-Login", "logged-in"),
        ("Use-As-Dictionary", 'match="/*"'),
    ]
    assert answer_headers(given) == [
        ("Content-Type", "text/html"),
        ("X-Slack-No-Retry", "1"),
        ("Content-Security-Policy", "sandbox"),
        ("X-Content-Type-Options", "nosniff"),
    ]


@pytest.mark.parametrize(
    "header",
    [("a b", "c"), ("", "c"), ("a:", "c"), ("ä", "c"), ("a", "b\r\nX: 1"), ("a", "b\x00")],
)
def test_a_malformed_header_of_an_answer_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="malformed"):
        answer_headers([header])
