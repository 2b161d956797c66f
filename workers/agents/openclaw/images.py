"""Reads the images of a turn into a request; OpenClaw's ``agent`` takes no other files."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from workers.agent import AgentContext
from workers.errors import MediaFailed
from workers.messages import Attachment

MAX_IMAGE = 5 * 1024 * 1024  # bytes of one, where the other gateway names no bound
SPARE = 64 * 1024  # of a frame, for everything but the images
FRAME = 1024 * 1024  # of a gateway that names no bound


class ImageBounds:
    """The limits of images in one request, by the ``policy`` in the gateway's hello."""

    def __init__(self, policy: Mapping[str, Any]) -> None:
        named = policy.get("attachments")
        bounds = named if isinstance(named, Mapping) else {}
        frame = _size(policy.get("maxPayload")) or FRAME
        self.all = max(0, frame - SPARE) * 3 // 4  # it is base64
        one = _size(bounds.get("maxImageBytes")) or _size(bounds.get("maxBytes")) or MAX_IMAGE
        self.one = min(one, self.all)


async def split_images(
    ctx: AgentContext, attachments: Sequence[Attachment], bounds: ImageBounds
) -> tuple[list[dict[str, Any]], list[Attachment]]:
    """Return the images as parts of a request, and the files that are only named.

    An image that is unreadable or too large is only named.
    """
    parts: list[dict[str, Any]] = []
    others: list[Attachment] = []
    left = bounds.all
    for each in attachments:
        content = None
        if each.url and (each.mime_type or "image/").startswith("image/"):
            content = await _read(ctx, each, min(bounds.one, left))
        if content is None:
            others.append(each)
            continue
        kind, data = content
        left -= len(data)
        text = await ctx.thread(base64.b64encode, data)
        part = {"type": "image", "mimeType": kind, "fileName": each.name or "image"}
        parts.append(part | {"content": text.decode()})
    return parts, others


async def _read(ctx: AgentContext, file: Attachment, most: int) -> tuple[str, bytes] | None:
    try:
        async with ctx.media.open(file.url) as opened:
            if not opened.type.startswith("image/"):
                return None
            if opened.size > most:
                ctx.log.info("an image is not sent along", type=opened.type, size=opened.size)
                return None
            return opened.type, await opened.read()
    except MediaFailed as error:
        ctx.log.warning("an image cannot be read", error=str(error))
        return None


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
