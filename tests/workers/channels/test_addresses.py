from __future__ import annotations

import pytest

from workers.channels.addresses import wrong_root


@pytest.mark.parametrize(
    ("root", "about"),
    [
        ("api.telegram.org", "must begin with https"),
        ("ftp://a", "must begin with https"),
        ("https://", "must begin with https"),
        ("https://user:pw@a", "must not hold a user"),
        ("https://a?b=c", "without"),
        ("https://a b", "without"),
        ("https://a:0", "must begin"),
        ("https://a:x", "must be an address"),
    ],
)
def test_a_wrong_server_is_refused(root: str, about: str) -> None:
    assert about in str(wrong_root(root))


@pytest.mark.parametrize("root", ["https://a", "http://127.0.0.1:8081", "http://[::1]:1/x"])
def test_other_servers_are_taken(root: str) -> None:
    assert wrong_root(root) is None
