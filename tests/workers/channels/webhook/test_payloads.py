"""Bodies of webhooks: one message, several, or a sentence that says what is wrong."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from workers.channels.webhook.payloads import BadBody, read, write
from workers.messages import Attachment, Chat, Inbound, Outbound, Sender

WHOLE = {
    "text": "deployed",
    "chat": {"id": "ops", "kind": "group", "title": "Operations"},
    "sender": {"id": "ci", "name": "CI", "bot": True},
    "ts": 5,
    "addressed": False,
    "thread": "t",
    "replyTo": "m0",
    "attachments": [{"url": "https://x.example/log"}],
    "meta": {"build": 7},
    "mentions": ["ann"],
    "edits": "m1",
}


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_only_the_text_is_required() -> None:
    assert read(body({"text": "hi"}), "msg_1", 12) == [
        Inbound(
            id="msg_1",
            chat=Chat("webhook", "direct"),
            sender=Sender("webhook", verified=True),
            text="hi",
            ts=12_000,
            addressed=True,
        )
    ]


@pytest.mark.parametrize(
    "wrapped", [WHOLE, {"type": "x", "timestamp": "2026-01-01T00:00:00Z", "data": WHOLE}]
)
def test_every_field_arrives(wrapped: Any) -> None:
    assert read(body(wrapped), "msg_1", 12) == [
        Inbound(
            id="msg_1",
            chat=Chat("ops", "group", "Operations"),
            sender=Sender("ci", "CI", bot=True, verified=True),
            text="deployed",
            ts=5,
            addressed=False,
            thread="t",
            reply_to="m0",
            attachments=[Attachment("https://x.example/log")],
            meta={"build": 7},
            mentions=["ann"],
            edits="m1",
        )
    ]


@pytest.mark.parametrize("wrap", [lambda inner: inner, lambda inner: {"data": inner}])
def test_several_messages_have_ids_that_stay(wrap: Any) -> None:
    several = {"messages": [{"text": "a", "chat": "x", "sender": "ann"}, {"text": "b"}]}
    found = read(body(wrap(several)), "msg_1", 12)
    assert [(each.id, each.text) for each in found] == [("msg_1/1", "a"), ("msg_1/2", "b")]
    assert (found[0].chat.id, found[0].sender.id) == ("x", "ann")


@pytest.mark.parametrize(
    ("id", "alone"),
    [
        ("a", "a"),
        ("a/b", "a/b"),
        ("a/", "a/"),
        ("a/1", "a/1/"),
        ("a/1/", "a/1//"),
        ("/0", "/0/"),
        ("a/1b", "a/1b"),
    ],
)
def test_a_message_alone_is_never_taken_for_one_of_several(id: str, alone: str) -> None:
    assert [each.id for each in read(body({"text": "b"}), id, 12)] == [alone]


@hypothesis.given(st.lists(st.text("a1/", min_size=1, max_size=5), unique=True, max_size=20))
def test_ids_of_different_webhooks_differ(ids: list[str]) -> None:
    several = {"messages": [{"text": "a"}, {"text": "b"}]}
    found = [
        each.id
        for name in ids
        for sent in ({"text": "c"}, several)
        for each in read(body(sent), name, 12)
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"text":"\xff"}', "not JSON"),
        (b"[" * 10_000, "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"{}", "missing required field `text`"),
        (body({"text": 1}), "Expected `str`"),
        (body({"text": "a", "tekst": "b"}), "unknown field `tekst`"),
        (body({"text": "a", "id": "mine"}), "unknown field `id`"),
        (body({"text": "a", "chat": ""}), "length >= 1"),
        (body({"text": "a", "chat": {"id": "x"}}), "missing required field `kind`"),
        (body({"text": "a", "sender": "x" * 513}), "length <= 512"),
        (body({"text": "a" * (256 * 1024 + 1)}), "length <= 262144"),
        (body({"text": "a", "ts": -1}), ">= 0"),
        (body({"text": "a", "attachments": [{"url": "file:///etc/passwd"}]}), "must begin with"),
        (body({"data": 7}), "must be a JSON object"),
        (body({"messages": []}), "1 to 100"),
        (body({"messages": [{"text": "a"}] * 101}), "1 to 100"),
        (body({"messages": {"text": "a"}}), "must be a list"),
        (body({"messages": [{"text": "a"}], "chat": "x"}), "without other fields"),
        (body({"messages": [{"text": "a"}, {"text": 2}]}), "message 2: Expected `str`"),
        (body({"messages": [{"text": "a"}, 3]}), "message 2: Expected `object`"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(given: bytes, why: str) -> None:
    with pytest.raises(BadBody, match=why) as caught:
        read(given, "msg_1", 12)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_message_goes_out_in_the_recommended_envelope() -> None:
    sent = write(Outbound(to="ops", text="hi", key="k", reply_to="m"), 1_700_000_000)
    assert json.loads(sent) == {
        "type": "message",
        "timestamp": "2023-11-14T22:13:20Z",
        "data": {"to": "ops", "text": "hi", "key": "k", "replyTo": "m"},
    }
