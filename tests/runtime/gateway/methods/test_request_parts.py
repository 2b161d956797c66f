"""Files that come with a request of a client."""

from __future__ import annotations

import base64

import pytest

from ipc.errors import RemoteError
from runtime.gateway.journal.runs import MAX_FILES_BYTES
from runtime.gateway.methods.request_parts import FileParams, cursor_in, files_of


def test_a_file_is_taken_with_or_without_the_head_of_a_data_url() -> None:
    content = base64.b64encode(b"abc").decode()
    for given in (content, f"data:image/png;base64,{content}"):
        (file,) = files_of([FileParams(given, "image/png", "a.png")])
        assert file.url == f"data:image/png;base64,{content}"
        assert (file.name, file.size_bytes) == ("a.png", 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [("%%%", "a.png: invalid base64"), ("A" * (MAX_FILES_BYTES + 4), "exceed")],
)
def test_a_file_that_cannot_go_along_is_refused(content: str, said: str) -> None:
    with pytest.raises(RemoteError, match=said):
        files_of([FileParams(content, None, "a.png")])


def test_a_cursor_is_read_and_what_is_none_is_refused_with_the_method() -> None:
    assert cursor_in("messages.trace", "1:2") == (1, 2)
    with pytest.raises(RemoteError, match=r"invalid messages\.trace params: .*not a cursor"):
        cursor_in("messages.trace", "x")
