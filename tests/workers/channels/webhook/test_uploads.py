"""Messages with files in one body."""

from __future__ import annotations

import pytest

from workers.channels.webhook.payloads import BadBody
from workers.channels.webhook.uploads import MAX_FILES, UploadedFile, boundary_of, split

MESSAGE = b'Content-Disposition: form-data; name="message"\r\n\r\n{"text": "two"}'
PICTURE = (
    b'Content-Disposition: form-data; name="a"; filename="p 1.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--X is none\r\n"
)
EMPTY = b'Content-Disposition: form-data; name="b"; filename="empty"\r\n\r\n'


def body(*parts: bytes, before: bytes = b"", end: bytes = b"--X1--\r\n") -> bytes:
    return before + b"".join(b"--X1\r\n" + part + b"\r\n" for part in parts) + end


@pytest.mark.parametrize("before", [b"", b"a preamble that is not read\r\n"])
def test_the_message_and_its_files_are_found(before: bytes) -> None:
    given = body(PICTURE, MESSAGE, EMPTY, before=before)
    message, files = split(given, b"X1")
    assert message == b'{"text": "two"}'
    assert [(each.name, each.type) for each in files] == [
        ("p 1.png", "image/png"),
        ("empty", None),
    ]
    assert [given[each.begin : each.end] for each in files] == [
        b"\x89PNG\r\n--X is none\r\n",
        b"",
    ]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (body(), "no part message"),
        (b"", "does not hold its boundary"),
        (b"--X2\r\n", "does not hold its boundary"),
        (body(PICTURE), "no part message"),
        (body(MESSAGE, MESSAGE), "beside one part message"),
        (body(MESSAGE, MESSAGE.replace(b"message", b"other")), "each with a file name"),
        (body(MESSAGE, *[EMPTY] * (MAX_FILES + 1)), f"{MAX_FILES} files"),
        (body(MESSAGE, PICTURE, end=b""), "cut off"),
        (body(MESSAGE + b"x" * (1 << 20)), "at most 1048576 bytes"),
        (body(MESSAGE, b"X: " + b"y" * 10_000 + b"\r\n\r\n"), "very long"),
        (body(MESSAGE, b"no head"), "no head"),
    ],
)
def test_a_malformed_form_is_refused(given: bytes, why: str) -> None:
    with pytest.raises(BadBody, match=why):
        split(given, b"X1")


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        (None, None),
        ("application/json", None),
        ("multipart/mixed; boundary=a", None),
        ("multipart/form-data; boundary=a1", b"a1"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a 1"', b"a 1"),
    ],
)
def test_the_boundary_stands_in_the_type(kind: str | None, boundary: bytes | None) -> None:
    assert boundary_of(kind) == boundary


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a\u00e4"',
        "multipart/form-data; boundary=" + "x" * 71,
    ],
)
def test_a_boundary_that_is_none_is_refused(kind: str) -> None:
    with pytest.raises(BadBody, match="needs a boundary"):
        boundary_of(kind)


def test_a_file_is_where_it_stands() -> None:
    (file,) = split(body(MESSAGE, PICTURE), b"X1").files
    assert file == UploadedFile("p 1.png", "image/png", file.begin, file.begin + 19)
