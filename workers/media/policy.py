"""Decide which files and addresses may be read for a message: ``media.allow``. Pure.

An entry is a directory, or an address that stands for all below it. Public addresses need none.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes, urlsplit

from workers.errors import MediaFailed


class MediaPolicy:
    """What may be read. ``hidden`` are paths that never may, whatever is allowed."""

    def __init__(self, allow: Iterable[str] = (), hidden: Iterable[str] = ()) -> None:
        entries = list(allow)
        self.directories = [each for each in entries if each.startswith("/")]
        self.hidden = list(hidden)
        self._addresses = [each.rstrip("/") + "/" for each in entries if "://" in each]

    def allows_address(self, url: str) -> bool:
        """Return whether an address is read although its host may be a private one."""
        place = url.partition("#")[0].partition("?")[0] + "/"
        return any(place.startswith(each) for each in self._addresses)

    def candidate(self, url: str) -> str:
        """Return the path in ``file:…`` if its words lie below an allowed directory.

        Where it really leads is seen when it is opened. Raises ``MediaFailed``.
        """
        path = path_of(url)
        if not any(is_below(path, each) for each in self.directories):
            raise forbidden(path)
        return path

    def permits(self, real: str, directories: Iterable[str], hidden: Iterable[str]) -> bool:
        """Return whether a path without links lies below one of ``directories``, none hidden."""
        return any(is_below(real, each) for each in directories) and not any(
            is_below(real, each) for each in hidden
        )


def path_of(url: str) -> str:
    """Return the path in a ``file:`` URL, without ``.`` and ``..``. Raises ``MediaFailed``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise MediaFailed(f"{url[:200]} is no file: URL", reason="invalid") from None
    raw = unquote_to_bytes(parts.path)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not raw.startswith(b"/"):
        raise MediaFailed(
            f"{url[:200]} names no file of this host: file:///PATH does", reason="invalid"
        )
    if b"\0" in raw:
        raise MediaFailed("the path of a file: URL holds a zero byte", reason="invalid")
    return posixpath.normpath("/" + raw.decode("utf-8", "surrogateescape").lstrip("/"))


def is_below(path: str, directory: str) -> bool:
    """Return whether a path is ``directory`` or lies below it; both are absolute."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def forbidden(path: str) -> MediaFailed:
    """Return the error for a file that may not be read."""
    return MediaFailed(
        f"{path} is not below a directory of media.allow: add its directory there, or move the"
        " file to one that is listed",
        reason="forbidden",
    )
