from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.context import RecordingContext
from workers.agents.openclaw.images import FRAME, SPARE, ImageBounds, split_images
from workers.messages import Attachment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("policy", "one", "whole"),
    [
        ({}, (FRAME - SPARE) * 3 // 4, (FRAME - SPARE) * 3 // 4),
        ({"maxPayload": SPARE + 400, "attachments": {"maxImageBytes": 999}}, 300, 300),
        ({"maxPayload": SPARE + 400, "attachments": {"maxBytes": 200}}, 200, 300),
        ({"maxPayload": 10, "attachments": 5}, 0, 0),
    ],
)
def test_the_limits_follow_the_policy_of_the_gateway(
    policy: dict[str, Any], one: int, whole: int
) -> None:
    bounds = ImageBounds(policy)
    assert (bounds.one, bounds.all) == (one, whole)


async def test_images_go_along_until_the_frame_is_full(tmp_path: Path) -> None:
    ctx: Any = RecordingContext(None, tmp_path)
    saved = [await ctx.media.save(PNG, name=f"{n}.png") for n in range(3)]
    missing = Attachment(url="media:none", mime_type="image/png")
    bounds = ImageBounds({"maxPayload": SPARE + 3 * len(PNG)})
    parts, others = await split_images(ctx, [missing, *saved], bounds)
    assert [part["fileName"] for part in parts] == ["0.png", "1.png"]
    assert others == [missing, saved[2]]
