from __future__ import annotations

import msgspec
import pytest

from ipc.nesting import decode_json
from tests.support.agents import asked
from tests.workers.channels.webhook.peer import SECRET
from workers.agent import Final, HistoryItem, Usage
from workers.agents.answers import BrokenAnswer
from workers.agents.http.config import HttpAgentConfig
from workers.agents.http.exchange import body_of_turn, failure_of_status, final_of
from workers.errors import Misconfigured, RateLimited, Transient, TurnRefused, TurnTooLarge


def test_a_turn_is_posted_in_an_envelope() -> None:
    fields = {"url": "https://a/", "secret": SECRET, "instructions": "own", "historyMessages": 1}
    config = msgspec.convert(fields, HttpAgentConfig)
    history = [HistoryItem("user", "q", 1), HistoryItem("user", "r", 2)]
    body = decode_json(body_of_turn(config, asked("now", history=history), 1_700_000_000))
    assert (body["type"], body["timestamp"]) == ("turn", "2023-11-14T22:13:20Z")
    assert body["data"]["text"] == "now"
    assert body["data"]["instructions"] == "own"
    assert body["data"]["history"] == [{"role": "user", "text": "r", "at": 2}]


@pytest.mark.parametrize(
    ("body", "final"),
    [
        (b'{"text":"a"}', Final("a")),
        (b'{"type":"final","text":"a","usage":{"input":1}}', Final("a", Usage(1))),
        (b'{"attachments":[]}', Final()),
    ],
)
def test_an_answer_becomes_a_final(body: bytes, final: Final) -> None:
    assert final_of(body) == final


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"\0", "not JSON"),
        (b"[" * 9999, "not JSON"),
        (b"[]", "JSON object"),
        (b"{}", "have a text"),
        (b'{"answer":"a"}', "have a text"),
        (b'{"text":7}', "Expected `str"),
        (b'{"text":"a","attachments":[{"url":"file:///etc/passwd"}]}', "begins with https"),
        (b'{"type":"delta","text":"a"}', "one final event"),
    ],
)
def test_what_is_no_answer_is_named(body: bytes, why: str) -> None:
    with pytest.raises(BrokenAnswer, match=why):
        final_of(body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, Misconfigured),
        (400, TurnRefused),
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Misconfigured),
        (408, Transient),
        (410, Misconfigured),
        (413, TurnTooLarge),
        (422, TurnRefused),
        (425, Transient),
        (429, RateLimited),
        (500, Transient),
        (503, Transient),
    ],
)
def test_each_status_has_its_error_class(status: int, kind: type[Exception]) -> None:
    error = failure_of_status(status, "why\nso", 7.0)
    assert type(error) is kind
    assert f"HTTP {status}: why so" in str(error)
    assert getattr(error, "retry_after", 7.0) == 7.0
