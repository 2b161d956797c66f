"""The schema is the one that is checked in, and real frames are valid by it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from ipc.frames import control, data, schema, status, websocket
from ipc.frames.websocket import ErrorShape, Request, StateVersion

ROOT = Path(__file__).parents[3]
HOLD = status.Hold(at=1, reason="because")
STATUS = status.Status(
    status.SupervisorStatus(1, "0.1.0", 2, 3, "/s", "/c", "r"),
    status.GatewayStatus(),
    [status.AccountStatus("irc:libera", "irc", "libera", hold=HOLD, plugin={"connected": True})],
)


def validator(family: str) -> jsonschema.Draft202012Validator:
    whole = schema.schema()
    return jsonschema.Draft202012Validator(whole | {"anyOf": [{"$ref": f"#/$defs/{family}"}]})


def as_json(frames: list[Any]) -> Any:
    return json.loads(msgspec.json.encode(frames))


GOOD: list[tuple[str, Any]] = [
    ("fromClient", json.loads(websocket.encode(Request("1", "health")))),
    ("fromClient", {"type": "req", "id": "1", "method": "m", "params": [1], "traceparent": "t"}),
    ("fromGateway", json.loads(websocket.response("1", {"ok": True}))),
    ("fromGateway", json.loads(websocket.response(5))),
    (
        "fromGateway",
        json.loads(
            websocket.error_response(
                "1", ErrorShape("UNAVAILABLE", "m", {"a": 1}, retryable=True, retry_after_ms=1)
            )
        ),
    ),
    ("fromGateway", json.loads(websocket.event("health", {}, 1, StateVersion(1, 2)))),
    (
        "dataFromWorker",
        as_json([data.DataHello("a:b", 1, "t", 0), data.Messages(1, b"3", [b"{}"])]),
    ),
    ("dataFromGateway", as_json([data.Welcome("g", 0), data.Call(1, "send", b"{}")])),
    (
        "controlFromWorker",
        as_json([control.WorkerReady(), control.StatusPatch({"connected": True})]),
    ),
    ("controlFromSupervisor", as_json([control.Ping(1)])),
    ("status", json.loads(msgspec.json.encode(STATUS))),
]
BAD: list[tuple[str, Any]] = [
    ("fromClient", {"type": "req", "id": "", "method": "m"}),
    ("fromClient", {"type": "req", "id": "1", "method": "m", "bogus": 1}),
    ("fromClient", {"type": "res", "id": "1", "ok": True}),
    ("fromGateway", {"type": "res", "id": "1", "ok": False, "error": None}),
    ("fromGateway", {"type": "event", "event": "x", "seq": -1}),
    ("dataFromWorker", [[19]]),
    ("dataFromWorker", [[2, -1, "", [""]]]),
    ("controlFromWorker", [[3, 1]]),
]


def test_the_schema_that_is_checked_in_is_the_one_of_the_types() -> None:
    checked_in = (ROOT / "docs/schema.json").read_text()
    assert checked_in == schema.text(), "run: python -m ipc.frames.schema > docs/schema.json"


def test_the_command_prints_the_schema() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "ipc.frames.schema"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == schema.text()


def test_the_schema_is_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())


@pytest.mark.parametrize(("family", "frame"), GOOD)
def test_real_frames_are_valid(family: str, frame: Any) -> None:
    validator(family).validate(frame)


@pytest.mark.parametrize(("family", "frame"), BAD)
def test_malformed_frames_are_invalid(family: str, frame: Any) -> None:
    assert not validator(family).is_valid(frame)
