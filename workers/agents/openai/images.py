"""Turns the images of a message into parts of a request to a model."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from workers.agent import AgentContext
from workers.errors import MediaFailed
from workers.messages import Attachment

MOST_IMAGES = 8
MAX_IMAGE = 5 * 1024 * 1024  # bytes of one
TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


async def split_images(
    ctx: AgentContext, attachments: Sequence[Attachment]
) -> tuple[list[dict[str, Any]], list[Attachment]]:
    """Return the images as parts of a request, and the other files, which are only named.

    An image that is unreadable, too large, or of a type that models do not accept is only named.
    """
    parts: list[dict[str, Any]] = []
    others: list[Attachment] = []
    for each in attachments:
        part = None
        if each.url and (each.mime_type or "image/").startswith("image/"):
            part = await _part(ctx, each) if len(parts) < MOST_IMAGES else None
        if part is None:
            others.append(each)
        else:
            parts.append(part)
    return parts, others


async def _part(ctx: AgentContext, image: Attachment) -> dict[str, Any] | None:
    try:
        async with ctx.media.open(image.url) as file:
            if file.type not in TYPES or file.size > MAX_IMAGE:
                ctx.log.info("an image is not sent to the model", type=file.type, size=file.size)
                return None
            content = await file.read()
    except MediaFailed as error:
        ctx.log.warning("an image cannot be read", error=str(error))
        return None
    text = await ctx.thread(base64.b64encode, content)
    return {"type": "image_url", "image_url": {"url": f"data:{file.type};base64,{text.decode()}"}}
