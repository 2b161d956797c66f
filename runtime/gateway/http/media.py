"""Serves the files of messages: ``GET /media/<id>?t=<ticket>``.

They come from strangers. A browser may show pictures, sound and film whose first bytes prove what
they are; everything else is only offered as a download, and nothing runs in any of it.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from ipc import timeouts
from ipc.media import (
    ABOUT,
    HEAD_BYTES,
    UNKNOWN,
    MediaAbout,
    account_directory,
    disposition,
    is_media_id,
    type_of_head,
)
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.http.tickets import MediaTickets

PREFIX = "/media/"
PIECE = 256 * 1024
WRITE_SECONDS = 60.0  # for one piece
MAX_ABOUT_BYTES = 4096
SAFE = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "Accept-Ranges": "bytes",
}


class MediaEndpoint:
    """The endpoint for files, which are stored in ``state_dir``."""

    def __init__(self, state_dir: Path, tickets: MediaTickets) -> None:
        self._state_dir = state_dir
        self._tickets = tickets

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 200, 206, 304, 403 for the ticket, 404 or 416."""
        name = request.path.removeprefix(PREFIX)
        if not is_media_id(name):
            return _refusal(404, "Not Found")
        account = self._tickets.account(request.query.get("t", ""), name, time.time())
        if account is None:
            return _refusal(403, "the ticket is not for this file, or its five minutes are over")
        place = account_directory(self._state_dir, account)
        try:
            fd, about = await asyncio.to_thread(_open, place, name)
        except OSError:
            return _refusal(404, "the file is not there any more")
        try:
            return await _send(request, fd, name, about)
        finally:
            os.close(fd)


def _open(place: Path, name: str) -> tuple[int, MediaAbout]:
    """Open a file and read its description. Raises ``OSError``.

    A confined worker can write what it wants into its directory: links are not followed, and
    nothing but regular files is read.
    """
    fd = _open_file(place / name)
    try:
        described = _open_file(place / (name + ABOUT))
    except OSError:
        return fd, MediaAbout()
    try:
        return fd, decode_json(os.read(described, MAX_ABOUT_BYTES), MediaAbout)
    except MALFORMED:
        return fd, MediaAbout()
    finally:
        os.close(described)


def _open_file(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(path)
    return fd


async def _send(
    request: web.BaseRequest, fd: int, name: str, about: MediaAbout
) -> web.StreamResponse:
    size = os.fstat(fd).st_size
    shown = type_of_head(os.pread(fd, HEAD_BYTES, 0))
    tag = f'"{name}"'  # what has this id never changes
    headers = SAFE | {
        "ETag": tag,
        "Content-Type": shown or UNKNOWN,
        "Content-Disposition": disposition(about.name, inline=shown is not None),
    }
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    wanted = byte_range(request.headers, size, tag)
    if wanted is None:
        refused = _refusal(416, "Range Not Satisfiable")
        refused.headers["Content-Range"] = f"bytes */{size}"
        return refused
    first, end = wanted
    partial = (first, end) != (0, size)
    if partial:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    response = web.StreamResponse(status=206 if partial else 200, headers=headers)
    response.content_length = end - first
    await response.prepare(request)
    if request.method != "HEAD":
        while first < end and (
            data := await asyncio.to_thread(os.pread, fd, min(PIECE, end - first), first)
        ):
            try:
                async with timeouts.timeout(WRITE_SECONDS):
                    await response.write(data)
            except TimeoutError:  # it does not read: neither the file nor the socket is kept for it
                if request.transport is not None:
                    request.transport.abort()
                return response
            first += len(data)
    await response.write_eof()
    return response


def byte_range(headers: Mapping[str, str], size: int, tag: str) -> tuple[int, int] | None:
    """Return the start and the end of the requested byte range (RFC 9110, 14.2).

    ``None``: there is nothing of it. Several ranges, and one of another version, are answered
    with all of the file.
    """
    unit, _, text = headers.get("Range", "").partition("=")
    if unit.strip().lower() != "bytes" or "," in text or headers.get("If-Range", tag) != tag:
        return 0, size
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not dash or not all(
        part == "" or (part.isascii() and part.isdecimal()) for part in (first, last)
    ):
        return 0, size
    if len(first) > 18 or len(last) > 18 or first == last == "":
        return None
    if first == "":
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return 0, size
    return (begin, end) if begin < end else None


def _refusal(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, headers=SAFE)
