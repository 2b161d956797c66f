"""Messages on the wire: names, what is left out, and bounds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from workers.messages import (
    MAX_TEXT,
    Action,
    Attachment,
    Chat,
    HttpRequest,
    HttpResponse,
    Inbound,
    MessageEvent,
    Outbound,
    Sender,
    Sent,
    SentMessage,
    id_in_chat,
)

CHAT, SENDER = Chat("room", "group"), Sender("ann")


def wire(message: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(message))


def test_what_has_its_default_is_left_out() -> None:
    assert wire(Inbound("1", CHAT, SENDER, "hi", 5)) == {
        "id": "1",
        "chat": {"id": "room", "kind": "group"},
        "sender": {"id": "ann"},
        "text": "hi",
        "ts": 5,
    }
    assert wire(Sent("1", "room", 5)) == {"id": "1", "chat": "room", "ts": 5}


def test_names_are_camel_case() -> None:
    file = Attachment("https://x", mime_type="text/plain", size_bytes=3)
    sent = wire(SentMessage("1", "room", "hi", 5, reply_to="0", attachments=[file]))
    assert sent["replyTo"] == "0"
    assert sent["attachments"] == [{"url": "https://x", "mimeType": "text/plain", "sizeBytes": 3}]
    event = MessageEvent("irc:a", "irc", "a", "in", "1:2", msgspec.Raw(b"{}"), redelivered=True)
    assert wire(event) == {
        "account": "irc:a",
        "channel": "irc",
        "accountId": "a",
        "direction": "in",
        "cursor": "1:2",
        "message": {},
        "redelivered": True,
    }


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        (Outbound, {"to": "", "text": "x", "key": "k"}, "$.to"),
        (Outbound, {"to": "x", "text": "x" * (MAX_TEXT + 1), "key": "k"}, "$.text"),
        (Outbound, {"to": "x", "text": "x", "key": "k" * 513}, "$.key"),
        (Outbound, {"to": "x", "text": "x", "key": "k\0"}, "$.key"),
        (Outbound, {"to": "x\0y\n", "text": "x", "key": "k"}, "$.to"),
        (Outbound, {"to": "x", "text": "x"}, "missing required field `key`"),
        (Action, {"name": "", "key": "k"}, "$.name"),
        (Action, {"name": "react", "key": "k", "emoji": "x" * 65}, "$.emoji"),
        (Chat, {"id": "x", "kind": "crowd"}, "$.kind"),
    ],
)
def test_what_is_beyond_its_bounds_is_refused(
    kind: type, fields: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode(fields), type=kind)
    assert wrong in str(caught.value)


def test_the_longest_text_is_accepted() -> None:
    text = "x" * MAX_TEXT
    encoded = msgspec.json.encode({"to": "x", "text": text, "key": "k"})
    assert msgspec.json.decode(encoded, type=Outbound).text == text


REQUEST = HttpRequest(
    "POST", "hook", "a=1", [("x-id", "7"), ("twice", "a"), ("twice", "b")], "127.0.0.1", b"{}"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-id", "7"), ("X-Id", "7"), ("absent", None), ("twice", None)],
)
def test_a_header_counts_when_it_was_sent_once(name: str, value: str | None) -> None:
    assert REQUEST.header(name) == value


def test_answers_of_text_and_of_json() -> None:
    text = HttpResponse.text(405, "only POST ✓", ("Allow", "POST"))
    assert (text.status, text.body.decode()) == (405, "only POST ✓")
    assert text.headers == [("Content-Type", "text/plain; charset=utf-8"), ("Allow", "POST")]
    answer = HttpResponse.json(202, {"ok": True})
    assert (answer.status, answer.body) == (202, b'{"ok":true}')
    assert answer.headers == [("Content-Type", "application/json")]


@pytest.mark.parametrize(
    ("id", "chat", "named"),
    [
        ("7/5", "9", "7/5"),
        ("5", "7", "7/5"),
        ("5", "channel:7", "7/5"),
        ("5", None, "5"),
        (None, "7", ""),
    ],
    ids=["ours", "the platform's own", "with the kind of the chat", "no chat", "no message"],
)
def test_the_id_of_a_message_names_its_chat(id: str | None, chat: str | None, named: str) -> None:
    assert id_in_chat(id, chat) == named
