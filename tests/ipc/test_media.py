"""Names of stored files, and which of them a browser may show."""

from __future__ import annotations

import pytest

from ipc.media import (
    body_name,
    clean_name,
    clean_type,
    disposition,
    is_body_name,
    kind_of,
    media_id,
    type_of_head,
)

ID = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (f"media:{ID}", ID),
        (ID, None),
        (f"media:{ID}\n", None),
        (f"media:{ID[:-1]}", None),
        (f"media:{ID.upper()}", None),
        ("media:../x", None),
        (f"media:/{ID}", None),
    ],
)
def test_an_id_is_nothing_but_its_digits(url: str, found: str | None) -> None:
    assert media_id(url) == found


@pytest.mark.parametrize(
    ("head", "type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"RIFF....WAVEfmt ", "audio/wav"),
        (b"RIFF....AVI LIST", None),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"\0\0\0\x18ftyp....", None),
        (b"OggS", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<html><script>", None),
        (b"%PDF-1.7", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_only_what_cannot_run_anything_has_a_type(head: bytes, type: str | None) -> None:
    assert type_of_head(head) == type


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a.png", "a.png"),
        ('a"\r\nSet-Cookie: x', 'a"Set-Cookie: x'),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("..", None),
        ("", None),
        (None, None),
        ("\ud800a", "?a"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_file_name_contains_no_path(given: str | None, cleaned: str | None) -> None:
    assert clean_name(given) == cleaned


def test_a_type_loses_its_parameters_and_nonsense_is_none() -> None:
    assert clean_type("Text/HTML; charset=x") == "text/html"
    assert clean_type("text/html\r\nX: y") is None
    assert clean_type("text") is None
    assert clean_type(None) is None


def test_the_kind_follows_the_type() -> None:
    kinds = [kind_of(each) for each in ("image/png", "video/mp4", "audio/ogg", "text/html", None)]
    assert kinds == ["image", "video", "audio", "file", "file"]


def test_the_name_in_a_header_is_quoted() -> None:
    assert disposition('ä";x.png', inline=True) == "inline; filename*=UTF-8''%C3%A4%22%3Bx.png"
    assert disposition(None, inline=False) == "attachment"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (body_name("0f" * 16), True),
        ("0f" * 16, False),
        (f".{'0f' * 16}.part", False),
        (f"../.{'0f' * 16}.body", False),
        (f".{'0F' * 16}.body", False),
        ("", False),
    ],
)
def test_the_name_of_a_body_is_no_path(name: str, is_one: bool) -> None:
    assert is_body_name(name) is is_one
