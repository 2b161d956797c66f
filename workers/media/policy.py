"""Decides which files and addresses may be read for a message: ``media.allow``. Pure.

An entry is a directory, or a URL prefix. Public addresses need no entry.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes, urlsplit

from workers.errors import MediaFailed


class MediaPolicy:
    """What may be read. ``hidden`` paths may never be read, whatever is allowed."""

    def __init__(self, allow: Iterable[str] = (), hidden: Iterable[str] = ()) -> None:
        entries = list(allow)
        self.directories = [each for each in entries if each.startswith("/")]
        self.hidden = list(hidden)
        self._addresses = [each.rstrip("/") + "/" for each in entries if "://" in each]

    def allows_address(self, url: str) -> bool:
        """Return whether a URL may be fetched even though its host may be private."""
        place = url.partition("#")[0].partition("?")[0] + "/"
        return any(place.startswith(each) for each in self._addresses)

    def candidate(self, url: str) -> str:
        """Return the path of a ``file:`` URL if, as written, it lies below an allowed directory.

        Symbolic links are resolved only when it is opened. Raises ``MediaFailed``.
        """
        path = path_of(url)
        if not any(is_below(path, each) for each in self.directories):
            raise forbidden(path)
        return path

    def permits(self, real: str, directories: Iterable[str], hidden: Iterable[str]) -> bool:
        """Return whether a resolved path lies below one of ``directories`` and no hidden one."""
        return any(is_below(real, each) for each in directories) and not any(
            is_below(real, each) for each in hidden
        )


def path_of(url: str) -> str:
    """Return the path in a ``file:`` URL, without ``.`` and ``..``. Raises ``MediaFailed``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise MediaFailed(f"{url[:200]} is not a file: URL", reason="invalid") from None
    raw = unquote_to_bytes(parts.path)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not raw.startswith(b"/"):
        raise MediaFailed(
            f"{url[:200]} does not name a file of this host: write file:///PATH", reason="invalid"
        )
    if b"\0" in raw:
        raise MediaFailed("the path of a file: URL holds a zero byte", reason="invalid")
    return posixpath.normpath("/" + raw.decode("utf-8", "surrogateescape").lstrip("/"))


def is_below(path: str, directory: str) -> bool:
    """Return whether a path is ``directory`` or lies below it; both are absolute."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def forbidden(path: str) -> MediaFailed:
    """Return the error for a path outside all allowed directories."""
    return MediaFailed(
        f"{path} is not below a directory of media.allow: add its directory there, or move the"
        " file to one that is listed",
        reason="forbidden",
    )
