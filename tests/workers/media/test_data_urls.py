"""What stands in data URLs."""

from __future__ import annotations

import pytest

from workers.errors import MediaFailed
from workers.media.data_urls import content_of


def test_the_content_of_a_data_url() -> None:
    assert content_of("data:text/plain;charset=x;base64,aGk=") == ("text/plain", b"hi")
    assert content_of("data:,a%20b") == (None, b"a b")


@pytest.mark.parametrize("url", ["data:text/plain", "data:;base64,***"])
def test_a_malformed_data_url_is_refused(url: str) -> None:
    with pytest.raises(MediaFailed):
        content_of(url)
