"""What may be read for a message, by the words of its address."""

from __future__ import annotations

import pytest

from workers.errors import MediaFailed
from workers.media.policy import MediaPolicy, path_of

POLICY = MediaPolicy(["/srv/out/", "/tmp/x", "https://files.lan:8443/a"])


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///srv/out/a.png", "/srv/out/a.png"),
        ("file:/srv/out/a.png", "/srv/out/a.png"),
        ("file://localhost/srv/out/./b/../a", "/srv/out/a"),
        ("file:///tmp/x/%C3%A4%20b", "/tmp/x/ä b"),
    ],
)
def test_below_an_allowed_directory(url: str, path: str) -> None:
    assert POLICY.candidate(url) == path


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "forbidden"),
        ("file:///srv/out/../other/a", "forbidden"),
        ("file:///srv/out/%2e%2e/other/a", "forbidden"),
        ("file:///srv/output/a", "forbidden"),
        ("file:////etc/passwd", "forbidden"),
        ("file:///tmp/xy", "forbidden"),
        ("file://other-host/srv/out/a", "invalid"),
        ("file:srv/out/a", "invalid"),
        ("file:///srv/out/a%00b", "invalid"),
        ("file://[/srv/out/a", "invalid"),
    ],
)
def test_other_addresses_are_refused(url: str, reason: str) -> None:
    with pytest.raises(MediaFailed) as seen:
        POLICY.candidate(url)
    assert seen.value.reason == reason
    if reason == "forbidden":
        assert "media.allow" in str(seen.value)


def test_a_path_has_no_steps_upward() -> None:
    assert path_of("file:///a/../../b") == "/b"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://files.lan:8443/a/b.png", True),
        ("https://files.lan:8443/a", True),
        ("https://files.lan:8443/a?b=c#d", True),
        ("https://files.lan:8443/ab", False),
        ("https://evil.example/?https://files.lan:8443/a/", False),
        ("https://files.lan:8443@evil/a/", False),
        ("http://files.lan:8443/a/b", False),
        ("https://files.lan/a/b", False),
    ],
)
def test_private_addresses_are_allowed_by_their_beginning(url: str, allowed: bool) -> None:
    assert POLICY.allows_address(url) is allowed
