"""Finds the message and the files in a ``multipart/form-data`` body (RFC 7578). Pure.

The part ``message`` is JSON as a body alone would be; every other part with a file name is a file.
Nothing is copied: a part is a range of the body, which may be a mapped file.
"""

from __future__ import annotations

import re
from email.message import Message
from email.parser import HeaderParser
from mmap import mmap
from typing import NamedTuple

from workers.channels.webhook.payloads import BadBody

KIND = "multipart/form-data"
MESSAGE = "message"  # the name of the part
MAX_FILES = 100
MAX_MESSAGE = 1 << 20  # bytes
MAX_HEAD = 8 * 1024  # bytes, of one part
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]\Z")

Body = bytes | mmap


class UploadedFile(NamedTuple):
    """A file in a body: the bytes from ``begin`` to ``end``."""

    name: str | None
    type: str | None
    begin: int
    end: int


class FormData(NamedTuple):
    """A parsed body: the JSON of the message, and the files that belong to it."""

    message: bytes
    files: list[UploadedFile]


def boundary_of(content_type: str | None) -> bytes | None:
    """Return the boundary of a multipart body; ``None`` for another type.

    Raises ``BadBody`` for a multipart body without a usable one.
    """
    head = Message()
    head["Content-Type"] = content_type or ""
    if head.get_content_type() != KIND:
        return None
    boundary = head.get_param("boundary")
    if not isinstance(boundary, str) or not _BOUNDARY.match(boundary):
        raise BadBody(f"{KIND} needs a boundary")
    return boundary.encode()


def split(body: Body, boundary: bytes) -> FormData:
    """Return the message and the files of a body; raises ``BadBody``."""
    message: bytes | None = None
    files: list[UploadedFile] = []
    for begin, end in _parts(body, boundary):
        head_end = body.find(b"\r\n\r\n", begin, min(end, begin + MAX_HEAD))
        if head_end < 0:
            raise BadBody("a part has no head, or a very long one")
        head = HeaderParser().parsestr(body[begin:head_end].decode("utf-8", "replace").lstrip())
        name = head.get_param("name", header="content-disposition")
        if name == MESSAGE and message is None:
            if end - head_end > MAX_MESSAGE:
                raise BadBody(f"the part {MESSAGE} has at most {MAX_MESSAGE} bytes")
            message = body[head_end + 4 : end]
        elif (file := head.get_filename()) is not None and len(files) < MAX_FILES:
            kind = head.get_content_type() if "content-type" in head else None
            files.append(UploadedFile(file, kind, head_end + 4, end))
        else:
            raise BadBody(
                f"beside one part {MESSAGE} there may be {MAX_FILES} files, each with a file name"
            )
    if message is None:
        raise BadBody(f"there is no part {MESSAGE}")
    return FormData(message, files)


def _parts(body: Body, boundary: bytes) -> list[tuple[int, int]]:
    """Return the range of each part, including its headers."""
    line = b"\r\n--" + boundary
    at = 0 if body[: len(line) - 2] == line[2:] else body.find(line)
    if at < 0:
        raise BadBody("the body does not hold its boundary")
    after = at + len(line) - (2 if at == 0 else 0)
    found: list[tuple[int, int]] = []
    while body[after : after + 2] != b"--":
        end = body.find(line, after)
        if end < 0:
            raise BadBody("the last boundary is missing: the body is cut off")
        found.append((after, end))
        if len(found) > MAX_FILES + 1:
            raise BadBody(f"there are more than {MAX_FILES} files")
        after = end + len(line)
    return found
