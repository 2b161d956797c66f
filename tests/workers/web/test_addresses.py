from __future__ import annotations

import pytest

from workers.web.addresses import bot_name, host_of, with_root, wrong_root, wrong_url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:pw@Example.com:8443/path?token=x", "example.com"),
        ("ws://127.0.0.1:18789", "127.0.0.1"),
        ("no address", ""),
        ("http://[", ""),
        ({"source": "env", "id": "URL"}, ""),
        (None, ""),
    ],
)
def test_the_host_of_an_address_shows_nothing_else(url: object, host: str) -> None:
    assert host_of(url) == host


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
def test_other_servers_are_accepted(root: str) -> None:
    assert wrong_root(root) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (with_root("app A1", None, "https://usual"), "app A1"),
        (with_root("app A1", "https://usual", "https://usual"), "app A1"),
        (with_root("app A1", "https://own", "https://usual"), "app A1 at https://own"),
        (bot_name("12", "", "https://usual"), "bot 12"),
        (bot_name(None, "https://own", "https://usual"), "bot at https://own"),
    ],
)
def test_an_account_is_called_by_its_login_and_a_server_of_its_own(name: str, shown: str) -> None:
    assert name == shown


@pytest.mark.parametrize(
    ("url", "private", "about"),
    [
        ("https://1.1.1.1/hook?a=1", False, None),
        ("http://127.0.0.1:8080/hook", True, None),
        ("http://127.0.0.1:8080/hook", False, "needs allowPrivate: true"),
        ("https://ann:pw@example.com/", False, "must not hold a user"),
        ("https://example.com/#x", False, "without #"),
        ("ftp://example.com/", False, "must begin with https"),
        ("https://example.com:x/", False, "must be an address"),
    ],
)
def test_an_address_that_is_posted_to_is_checked(
    url: str, private: bool, about: str | None
) -> None:
    found = wrong_url(url, private)
    assert found is None if about is None else about in str(found)
