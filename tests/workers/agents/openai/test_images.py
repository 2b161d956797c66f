from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.context import RecordingContext
from workers.agents.openai.images import MAX_IMAGE, MOST_IMAGES, split_images
from workers.messages import Attachment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("content", "kind", "shown"),
    [
        (PNG, "image/png", True),
        (PNG, None, True),
        (b"<svg/>", "image/svg+xml", False),
        (b"plain words", None, False),
        (b"a,b", "text/csv", False),
        (PNG + bytes(MAX_IMAGE), "image/png", False),
    ],
)
async def test_what_models_take_is_shown(
    tmp_path: Path, content: bytes, kind: str | None, shown: bool
) -> None:
    ctx = RecordingContext(None, tmp_path, "agent:main")
    file = await ctx.media.save(content, type=kind)
    parts, others = await split_images(ctx, [file])  # type: ignore[arg-type]  # no channel's part
    assert (len(parts), others) == ((1, []) if shown else (0, [file]))


async def test_what_cannot_be_read_or_is_one_too_many_is_named(tmp_path: Path) -> None:
    ctx = RecordingContext(None, tmp_path, "agent:main")
    gone = Attachment("media:" + "0" * 32, "image/png")
    image = await ctx.media.save(PNG)
    parts, others = await split_images(ctx, [gone] + [image] * (MOST_IMAGES + 1))  # type: ignore[arg-type]
    assert len(parts) == MOST_IMAGES
    assert others == [gone, image]
