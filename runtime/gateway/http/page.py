"""Serves the console page: compressed files from memory, under a strict content policy.

They are read and packed at the first request, in a thread: most gateways are never looked at. Of
our scripts and style sheets the comments and the indentation stay here: packed, they would be a
sixth of what is loaded. The page gets at nothing that another client would not get: it speaks the
WebSocket protocol.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from pathlib import Path

import msgspec
from aiohttp import web

from runtime.config.http_model import ControlUiConfig

DIRECTORY = Path(__file__).parent.parent / "page"
INDEX = "index.html"
LIBRARIES = "libraries"
# Comments that have lines of their own, in modules that have no such lines in their texts, and the
# indentation of all lines: of texts only templates of HTML span several, where it means nothing.
LEFT_OUT = re.compile(rb"^[ \t]*(?:(?://.*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n)?", re.MULTILINE)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # the browser asks each time, and is answered 304
    "Vary": "Accept-Encoding",
}
# Of what a browser shows as a document. On all files they would be a fifth of what is loaded.
OF_DOCUMENTS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
DOCUMENTS = ("text/html", "image/svg+xml")


class PageFile(msgspec.Struct, frozen=True):
    """One file of the page, plain and compressed with gzip."""

    type: str
    plain: bytes
    packed: bytes
    tag: str


class PageEndpoint:
    """Answers requests for the page below the base path of ``config``."""

    def __init__(self, config: ControlUiConfig) -> None:
        self._enabled = config.enabled
        self._base = config.base_path.rstrip("/")
        self._files: dict[str, PageFile] | None = None
        self._reading = asyncio.Lock()

    def serves(self, path: str) -> bool:
        """Return whether a path lies below the base path of the page."""
        return self._enabled and (path == self._base or path.startswith(f"{self._base}/"))

    async def answer(self, request: web.BaseRequest) -> web.Response | None:
        """Answer with a file (200), 304 or 308; ``None`` if the page has no such file."""
        if request.path == self._base:  # without the slash its relative addresses would miss
            return web.Response(status=308, headers=HEADERS | {"Location": f"{self._base}/"})
        async with self._reading:
            if self._files is None:
                self._files = await asyncio.to_thread(read_files, DIRECTORY)
        file = self._files.get(request.path.removeprefix(f"{self._base}/") or INDEX)
        return None if file is None else _respond(request, file)


def read_files(directory: Path) -> dict[str, PageFile]:
    """Return the files of the page by the path under which they are served. Blocks."""
    return {
        path.relative_to(directory).as_posix(): _read(path)
        for path in sorted(directory.rglob("*"))
        if path.suffix in TYPES
    }


def _read(path: Path) -> PageFile:
    plain = path.read_bytes()
    if path.suffix in (".js", ".css") and path.parent.name != LIBRARIES:
        plain = LEFT_OUT.sub(b"", plain)
    tag = f'"{hashlib.sha256(plain).hexdigest()[:24]}"'
    return PageFile(TYPES[path.suffix], plain, gzip.compress(plain, 9, mtime=0), tag)


def _respond(request: web.BaseRequest, file: PageFile) -> web.Response:
    headers = HEADERS | {"ETag": file.tag}
    if file.type.startswith(DOCUMENTS):
        headers |= OF_DOCUMENTS
    known = request.headers.get("If-None-Match", "")
    if file.tag in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = file.type
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=file.plain, headers=headers)
    return web.Response(body=file.packed, headers=headers | {"Content-Encoding": "gzip"})
