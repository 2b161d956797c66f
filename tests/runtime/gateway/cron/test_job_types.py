"""Jobs as OpenClaw's clients write them, recorded from its gateway."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.gateway.cron.job_types import JobPatch, NewJob, ScheduledJob

ADDED: list[dict[str, Any]] = [
    {
        "name": "every",
        "agentId": "main",
        "schedule": {"kind": "every", "everyMs": 3_600_000},
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "say hi"},
        "delivery": {"mode": "announce", "channel": "telegram", "to": "777"},
    },
    {
        "name": "sys",
        "schedule": {"kind": "cron", "expr": "0 9 * * 1", "tz": "Europe/Berlin"},
        "sessionTarget": "main",
        "wakeMode": "next-heartbeat",
        "payload": {"kind": "systemEvent", "text": "monday"},
    },
    {
        "name": "once",
        "schedule": {"kind": "at", "at": "2026-11-28T17:43:43.436114Z"},
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "once"},
        "deleteAfterRun": True,
        "delivery": {"mode": "none"},
    },
]


@pytest.mark.parametrize("given", ADDED, ids=lambda each: each["name"])
def test_what_is_added_is_read_and_written_alike(given: dict[str, Any]) -> None:
    read = msgspec.convert(given, NewJob)
    written = msgspec.to_builtins(read)
    # The default mode of a delivery is left out, and means the same.
    assert msgspec.convert(written, NewJob) == read
    assert {"enabled": True} | given == {"enabled": True} | written | {
        key: value for key, value in given.items() if key == "delivery"
    }


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bogus": 1}, "bogus"),
        ({"name": ""}, "length"),
        ({"wakeMode": "later"}, "later"),
        ({"schedule": {"kind": "often"}}, "often"),
        ({"schedule": {"kind": "every"}}, "everyMs"),
        ({"schedule": {"kind": "every", "everyMs": 0}}, "everyMs"),
        ({"schedule": {"kind": "every", "everyMs": 10**18}}, "everyMs"),
        ({"schedule": {"kind": "cron"}}, "expr"),
        ({"schedule": {"kind": "cron", "expr": "* * * * *", "x": 1}}, "x"),
        ({"payload": {"kind": "command", "command": "rm"}}, "command"),
        ({"payload": {"kind": "agentTurn"}}, "message"),
        ({"delivery": {"mode": "mail"}}, "mail"),
        ({"failureAlert": True}, "failureAlert"),
    ],
)
def test_what_types_can_express_is_refused_by_them(change: dict[str, Any], text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=text):
        msgspec.convert(ADDED[0] | change, NewJob)


def test_a_patch_tells_null_from_nothing() -> None:
    patch = msgspec.convert({"agentId": None, "failureAlert": None}, JobPatch)
    assert (patch.agent_id, patch.failure_alert) == (None, None)
    assert patch.name is msgspec.UNSET
    with pytest.raises(msgspec.ValidationError, match="bogus"):
        msgspec.convert({"bogus": 1}, JobPatch)


def test_a_kept_job_is_read_again() -> None:
    kept = {
        "id": "09e77c5e-1101-490a-98d7-c21ba7b3beb8",
        "name": "every",
        "enabled": False,
        "createdAtMs": 1795887817035,
        "updatedAtMs": 1795887865976,
        "schedule": {"kind": "every", "everyMs": 7_200_000, "anchorMs": 1795887865976},
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "hi", "toolsAllow": ["*"]},
        "state": {"lastRunAtMs": 1795887832397, "lastRunStatus": "ok", "consecutiveErrors": 0},
    }
    assert msgspec.to_builtins(msgspec.convert(kept, ScheduledJob)) == kept
