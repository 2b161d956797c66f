"""Keeps the files of a fake Slack: uploads in three steps, downloads with a bot token."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ipc.nesting import decode_json
from workers.testing.fakes.slack_apps import Channel, Clock, FakeApp, Json, RefusedMethod

HIDDEN_LOOKS = 1  # so often ``files.info`` does not know a file's message yet


@dataclass(slots=True)
class FakeFile:
    """A file of the workspace. ``content`` is ``None`` until it is uploaded.

    ``locked``: the token may not read it. ``hidden``: so many times more ``files.info`` leaves out
    the messages that have brought it.
    """

    id: str
    name: str
    mimetype: str
    length: int
    content: bytes | None = None
    locked: bool = False
    hidden: int = HIDDEN_LOOKS
    shares: dict[str, list[Json]] = field(default_factory=dict)


class FakeFiles:
    """The files, and the methods ``files.*``. ``root`` is the server's address.

    ``broken_uploads``: so many contents are answered 503, and not taken. ``given`` counts the
    downloads.
    """

    def __init__(self, clock: Clock) -> None:
        self.root = ""
        self.broken_uploads = 0
        self.given = 0
        self.files: dict[str, FakeFile] = {}
        self._clock = clock
        self._numbers = itertools.count(1)

    def add(
        self, content: bytes, name: str, mimetype: str = "text/plain", *, locked: bool = False
    ) -> Json:
        """Add a file that a person has uploaded; return it as an event names it."""
        made = self._create(name, mimetype, len(content))
        made.content, made.locked = content, locked
        return self.described(made)

    def described(self, file: FakeFile) -> Json:
        """Return a file as Slack shows it."""
        base = f"{self.root}/files-pri/T1-{file.id}"
        shown: Json = {
            "id": file.id,
            "name": file.name,
            "title": file.name,
            "mimetype": file.mimetype,
            "size": file.length,
            "url_private": f"{base}/{file.name}",
            "url_private_download": f"{base}/download/{file.name}",
        }
        if file.shares and not file.hidden:
            shown["shares"] = {"private": file.shares}
        return shown

    def run(self, app: FakeApp, verb: str, params: Json, channel: Channel | None) -> Json:
        """Carry out a method; ``channel`` is where it sends to. Raises ``RefusedMethod``."""
        match verb:
            case "getUploadURLExternal":
                return self._place(params)
            case "completeUploadExternal":
                return self._complete(app, params, channel)
            case "info":
                found = self._require(str(params.get("file", "")))
                shown = self.described(found)
                found.hidden = max(0, found.hidden - 1)
                return {"file": shown}
        raise RefusedMethod("unknown_method")

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Receive the content of a file, as it is or in a form."""
        file = self.files.get(request.match_info["ticket"].removeprefix("ticket"))
        if file is None or file.content is not None or "Authorization" in request.headers:
            return web.Response(status=404)
        content = await request.read()
        if self.broken_uploads:
            self.broken_uploads -= 1
            return web.Response(status=503)
        if request.content_type == "multipart/form-data":
            content = next(iter((await request.post()).values())).file.read()  # type: ignore[union-attr]
        if len(content) != file.length:
            return web.Response(status=400, text="length")
        file.content = content
        return web.Response(text=f"OK - {len(content)}")

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Return a file to the bearer of a bot's token; redirect all others to the login."""
        file = self.files.get(request.match_info["file"].removeprefix("T1-"))
        bearer = request.headers.get("Authorization", "")
        if not bearer.startswith("Bearer xoxb-") or (file is not None and file.locked):
            return web.Response(status=302, headers={"Location": f"{self.root}/login"})
        if file is None or file.content is None:
            return web.Response(status=404)
        self.given += 1
        return web.Response(body=file.content, content_type=file.mimetype)

    def _create(self, name: str, mimetype: str, length: int) -> FakeFile:
        file = FakeFile(f"F{next(self._numbers):07d}", name, mimetype, length)
        self.files[file.id] = file
        return file

    def _require(self, id: str) -> FakeFile:
        if id not in self.files:
            raise RefusedMethod("file_not_found")
        return self.files[id]

    def _place(self, params: Json) -> Json:
        length = int(params.get("length") or 0)
        if not params.get("filename") or length < 1:
            raise RefusedMethod("invalid_arguments")
        file = self._create(str(params["filename"]), "application/octet-stream", length)
        return {"upload_url": f"{self.root}/upload/v1/ticket{file.id}", "file_id": file.id}

    def _complete(self, app: FakeApp, params: Json, channel: Channel | None) -> Json:
        named: list[dict[str, Any]] = decode_json(str(params.get("files") or "[]"))
        found = [self._require(str(each["id"])) for each in named]
        if not found or any(each.content is None for each in found):
            raise RefusedMethod("file_not_found")
        if channel is not None:
            ts = self._clock.ts()
            text = params.get("initial_comment") or ""
            message: Json = {"type": "message", "subtype": "file_share", "text": text, "ts": ts}
            message |= {"user": app.user_id, "bot_id": app.bot_id}
            if thread := params.get("thread_ts"):
                message["thread_ts"] = thread
            message["files"] = [self.described(each) for each in found]
            channel.messages.append(message)
            for each in found:
                each.shares.setdefault(channel.id, []).append({"ts": ts})
            app.sent.append(
                {"method": "files.completeUploadExternal", **params, "files": named, "ts": ts}
            )
        return {"files": [{"id": each.id, "title": each.name} for each in found]}
