from __future__ import annotations

from typing import Any

import pytest

from workers.agents.openclaw.remains import Remains, remains_of

ASKED = {"role": "user", "content": "hello", "idempotencyKey": "r1:user"}
MARKED = {"role": "user", "content": "hello", "__openclaw": {"idempotencyKey": "r1:user"}}
BEFORE = {"role": "user", "content": "before", "idempotencyKey": "r0:user"}
RESUMED = {
    "role": "user",
    "content": "[System] go on",
    "idempotencyKey": "recovery:user",
    "provenance": {"kind": "internal_system"},
}
NEXT = {"role": "user", "content": "and now", "idempotencyKey": "r2:user"}
BUSY = {"hasActiveRun": True}


def said(text: str, stop: str = "stop", **about: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    return {"role": "assistant", "content": content, "stopReason": stop, "__openclaw": about}


@pytest.mark.parametrize(
    ("messages", "more", "found"),
    [
        ([], {}, (Remains.NOTHING, "")),
        ([BEFORE, said("old")], {"sessionInfo": BUSY}, (Remains.NOTHING, "")),
        ([ASKED], {}, (Remains.BROKEN, "")),
        ([MARKED, said("cut", "aborted")], {}, (Remains.BROKEN, "")),
        ([ASKED], {"sessionInfo": BUSY}, (Remains.RUNNING, "")),
        ([ASKED], {"sessionInfo": {"status": "running"}}, (Remains.RUNNING, "")),
        ([ASKED], {"sessionInfo": {"status": "failed"}}, (Remains.BROKEN, "")),
        ([], {"pendingInputs": {"items": [{"runId": "r1"}]}}, (Remains.RUNNING, "")),
        ([BEFORE, said("old"), ASKED, said("new")], {}, (Remains.ANSWER, "new")),
        ([ASKED, said("", "toolUse"), RESUMED, said("resumed")], {}, (Remains.ANSWER, "resumed")),
        ([ASKED, NEXT, said("of the next")], {}, (Remains.BROKEN, "")),
        ([said("old"), said("mine", runId="r1")], {}, (Remains.ANSWER, "mine")),
        (5, {"sessionInfo": 5, "pendingInputs": [5]}, (Remains.NOTHING, "")),
    ],
)
def test_the_state_of_a_lost_run_is_read_from_the_history(
    messages: Any, more: dict[str, Any], found: tuple[Remains, str]
) -> None:
    assert remains_of({"messages": messages, **more}, "r1") == found
