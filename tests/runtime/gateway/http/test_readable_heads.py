"""Bytes that are no text, in the head of a request to every door."""

from __future__ import annotations

import logging

import msgspec
import pytest

from tests.runtime.gateway.http.test_broken_bodies import HOOK_TOKEN, opened
from tests.support.gateway_rig import TOKEN
from tests.support.http_api import http_rig, said
from tests.support.rig_agent import echo_agent

TOOL = {"tool": "agents_list"}
HOOKS = {
    "enabled": True,
    "token": HOOK_TOKEN,
    "mappings": [
        {
            "match": {"path": "built"},
            "action": "wake",
            "textTemplate": "{{headers.x-place}} {{path}}",
        }
    ],
}


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"GET /health\xff HTTP/1.1", None, 400),
        (b"GET /health?\xff HTTP/1.1", None, 400),
        (b"GET /%FF HTTP/1.1", None, 404),
        (b"GET /sessions/a\xffb/history HTTP/1.1", None, 400),
        (b"GET /sessions/a%FFb/history HTTP/1.1", None, 200),
        (b"GET /v1/models/\xff HTTP/1.1", None, 400),
        (b"GET /v1/models/%ff HTTP/1.1", None, 400),
        (b"GET /v1/models HTTP/1.1\r\nX-Place: S\xe3o Paulo", None, 200),
        (b"POST /v1/chat/completions HTTP/1.1\r\nx-openclaw-agent-id: \xff", said("x"), 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nx-openclaw-session-key: \xff", said("x"), 200),
        (b"POST /v1/chat/completions HTTP/1.1\r\nx-openclaw-model: \xff", said("x"), 200),
        (b"POST /v1/chat/completions HTTP/1.1\r\nIdempotency-Key: \xff", said("x"), 200),
        (b"POST /v1/chat/completions HTTP/1.1\r\ntraceparent: \xff", said("x"), 200),
        (b"POST /tools/invoke HTTP/1.1\r\nIdempotency-Key: \xff", TOOL, 200),
        (b"POST /hooks/agent HTTP/1.1\r\nIdempotency-Key: \xff", {"message": "x"}, 200),
        (b"POST /hooks/built HTTP/1.1\r\nX-Place: S\xe3o Paulo", {}, 200),
        (b"POST /hooks/built?\xff HTTP/1.1", {}, 400),
        (b"POST /hooks/built HTTP/1.1\r\nAuthorization: Bearer \xff", {}, 401),
        (b"GET /metrics HTTP/1.1\r\nX-Forwarded-For: \xff", None, 401),
    ],
)
async def test_it_is_replaced_or_refused_and_no_fault(
    caplog: pytest.LogCaptureFixture, head: bytes, body: object, status: int
) -> None:
    async with http_rig() as client, opened(client.rig.port) as (reader, writer):
        await echo_agent(client.rig)
        await client.rig.report(hooks=HOOKS)
        token = HOOK_TOKEN if b"/hooks/" in head else TOKEN
        lines = [head, b"Host: localhost", b"Connection: close"]
        if b"Authorization" not in head and b"/metrics" not in head:
            lines.append(f"Authorization: Bearer {token}".encode())
        text = b"" if body is None else msgspec.json.encode(body)
        if body is not None:
            lines.append(b"Content-Length: %d" % len(text))
        writer.write(b"\r\n".join([*lines, b"", text]))
        answer = await reader.read()
        assert int(answer.split(b" ")[1]) == status, answer
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
