"""Headers of requests, whichever library has parsed them."""

from __future__ import annotations

import pytest
from websockets.datastructures import Headers

from runtime.gateway.access.request_headers import headers_of_http, headers_of_websocket


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        ([(b"Host", b"x")], {"host": "x"}),
        ([(b"X-User", "Jörg".encode())], {"x-user": "Jörg"}),
        ([(b"X-User", b"J\xf6rg")], {"x-user": "J\ufffdrg"}),
        (
            [(b"x-for", b"1"), (b"Host", b"x"), (b"X-For", b"2, 3")],
            {"x-for": "1, 2, 3", "host": "x"},
        ),
        ([(b"X-For", b""), (b"X-For", b"2")], {"x-for": ", 2"}),
    ],
)
def test_both_libraries_headers_are_read_alike(
    given: list[tuple[bytes, bytes]], expected: dict[str, str]
) -> None:
    assert headers_of_http(given) == expected
    shown = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in given]
    assert headers_of_websocket(Headers(shown).raw_items()) == expected
