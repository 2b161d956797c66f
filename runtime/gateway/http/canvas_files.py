"""Opens the files of the canvas host, and nothing outside of its directory.

An agent writes them, so that any of them may be a link, a pipe or a device, and may be replaced at
any moment. A path is first resolved; what leads out of the directory is not there. Then the
resolved path is walked down from the directory, name by name, and no link is followed: whatever
is put in its place meanwhile, the walk ends inside. A file is opened as a mere place (``O_PATH``)
until it is known to be a regular one, so that no device is ever touched.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

INDEX = "index.html"
UNKNOWN = "application/octet-stream"
_TEXTS = {
    "css": "text/css",
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "map": "application/json",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
    "webmanifest": "application/manifest+json",
    "xml": "text/xml",
}
TYPES = {
    "avif": "image/avif",
    "gif": "image/gif",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "ttf": "font/ttf",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
} | {ending: f"{name}; charset=utf-8" for ending, name in _TEXTS.items()}


class NotThere(Exception):
    """The error if no file may be served at a path."""


class OpenedFile(msgspec.Struct, frozen=True):
    """A regular file below the directory: its place (an ``O_PATH`` descriptor), size and type."""

    fd: int
    size: int
    type: str


class Directory:
    """A directory with an index file, requested without the slash at the end."""


def open_file(root: Path, path: str) -> OpenedFile | Directory:
    """Open the file at ``path`` below ``root``, or the index of a directory. Blocks.

    ``path`` is decoded. Raises ``NotThere``.
    """
    names = path.split("/")
    if not all(names[:-1]) or any(name.startswith(".") for name in names):  # hidden ones, too
        raise NotThere
    try:
        return _open(os.path.realpath(root), names)
    except (OSError, ValueError):
        raise NotThere from None


def type_of(name: str) -> str:
    """Return the content type of a file by its extension."""
    return TYPES.get(name.rpartition(".")[2].lower(), UNKNOWN)


def _open(root: str, names: list[str]) -> OpenedFile | Directory:
    if names[-1] == "":
        names = [*names[:-1], INDEX]
    fd = _beneath(root, names)
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return OpenedFile(fd, found.st_size, type_of(names[-1]))
    os.close(fd)
    if stat.S_ISDIR(found.st_mode) and names[-1] != INDEX:
        index = _open(root, [*names, INDEX])
        assert isinstance(index, OpenedFile)
        os.close(index.fd)
        return Directory()
    raise NotThere


def _beneath(root: str, names: list[str]) -> int:
    """Return a descriptor of the file or directory at a path below ``root``.

    Raises ``OSError`` and ``NotThere``.
    """
    real = os.path.realpath(os.path.join(root, *names))
    inside = root.rstrip("/") + "/"
    if not real.startswith(inside):
        raise NotThere
    walked = real.removeprefix(inside).split("/")
    if any(name.startswith(".") for name in walked):  # a link to a hidden one
        raise NotThere
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in walked:
        try:
            below = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd
