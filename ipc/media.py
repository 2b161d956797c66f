"""Names stored files, and decides by their first bytes which a browser may show. Pure.

The worker that stores a file and the gateway that serves it follow the same rules; the gateway does
not trust the type that a worker has written for a file.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import msgspec

SCHEME = "media:"
ABOUT = ".json"  # what the name of the file's description ends in
HEAD_BYTES = 64  # of a file, enough to know its type
UNKNOWN = "application/octet-stream"
_ID = re.compile(r"[0-9a-f]{32}\Z")
_BODY = re.compile(r"\.[0-9a-f]{32}\.body\Z")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
MAX_NAME = 200  # characters

# Types that a browser shows without running anything in them: SVG and HTML are none of these.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"isom": "video/mp4",
    b"iso2": "video/mp4",
    b"iso4": "video/mp4",
    b"iso5": "video/mp4",
    b"iso6": "video/mp4",
    b"mp41": "video/mp4",
    b"mp42": "video/mp4",
    b"avc1": "video/mp4",
    b"dash": "video/mp4",
    b"M4V ": "video/mp4",
}


class MediaAbout(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The description stored beside a file, as declared and not verified."""

    name: str | None = None
    mime_type: str | None = None


def media_id(url: str) -> str | None:
    """Return the id in ``media:<id>``; ``None`` if it is not such a URL."""
    found = url.removeprefix(SCHEME)
    return found if found != url and _ID.match(found) else None


def is_media_id(id: str) -> bool:
    """Return whether ``id`` is a valid id of a stored file: 32 hexadecimal digits."""
    return _ID.match(id) is not None


def body_name(id: str) -> str:
    """Return the name of the file that holds the body of a pending request."""
    return f".{id}.body"


def is_body_name(name: str) -> bool:
    """Return whether a file of this name holds the body of a request."""
    return _BODY.match(name) is not None


def account_directory(state_dir: Path, account: str) -> Path:
    """Return the directory of an account's files."""
    return state_dir / "media" / account


def type_of_head(head: bytes) -> str | None:
    """Return the type that the first bytes of a file prove; ``None`` if none."""
    for beginning, found in _BEGINNINGS:
        if head.startswith(beginning):
            return found
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    if len(head) > 1 and head[0] == 0xFF and head[1] in (0xFB, 0xF3, 0xF2, 0xFA):
        return "audio/mpeg"
    if len(head) > 1 and head[0] == 0xFF and head[1] in (0xF1, 0xF9):
        return "audio/aac"
    return None


def kind_of(type: str | None) -> str:
    """Return the kind of a MIME type, a word of ``workers.media.abilities.MEDIA_KINDS``."""
    kind = (type or "").partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "file"


def clean_type(type: str | None) -> str | None:
    """Return a MIME type in lower case without parameters; ``None`` if it is invalid."""
    found = (type or "").partition(";")[0].strip().lower()
    return found if _TYPE.match(found) else None


def clean_name(name: str | None) -> str | None:
    """Return a file name without directories and control characters; ``None`` if none remains."""
    if not name:
        return None
    found = re.split(r"[/\\]", name.encode("utf-8", "replace").decode())[-1]
    return _CONTROL.sub("", found).strip(" .")[:MAX_NAME] or None


def disposition(name: str | None, *, inline: bool) -> str:
    """Return the value of ``Content-Disposition`` (RFC 6266)."""
    word = "inline" if inline else "attachment"
    cleaned = clean_name(name)
    return f"{word}; filename*=UTF-8''{quote(cleaned, safe='')}" if cleaned else word
