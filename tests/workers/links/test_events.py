"""The spliced payload is exactly the encoded struct."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.frames.data import INBOUND, MAX_PAYLOAD_BYTES
from workers.links.backlog import Backlog
from workers.links.events import EventEncoder, body_of, cursor_text, happened_body
from workers.messages import (
    MAX_TEXT,
    Attachment,
    ChannelEvent,
    Chat,
    Happened,
    Inbound,
    MessageEvent,
    Outbound,
    Sender,
    Sent,
    SentMessage,
)

decode = msgspec.json.decode


def inbound(text: str = "hi", **more: object) -> Inbound:
    fields = {"id": "1", "chat": Chat("room", "group"), "sender": Sender("ann"), "ts": 5} | more
    return Inbound(text=text, **fields)  # type: ignore[arg-type]


def expected(direction: str, message: object) -> bytes:
    return msgspec.json.encode(
        MessageEvent(
            account="irc:libera",
            channel="irc",
            account_id="libera",
            direction=direction,  # type: ignore[arg-type]
            cursor="7:12",
            message=msgspec.Raw(msgspec.json.encode(message)),
        )
    )


@given(st.text(max_size=200).filter(lambda text: text.isprintable()))
def test_an_inbound_payload_equals_the_encoded_event(text: str) -> None:
    message = inbound(text, thread="t", attachments=[Attachment("file:///a", size_bytes=3)])
    assert EventEncoder("irc:libera", 7).inbound(12, body_of(message)) == expected("in", message)


def test_an_outbound_payload_equals_the_encoded_event() -> None:
    message = Outbound(to="room", text="yo", key="k", reply_to="1")
    told = SentMessage(id="m1", to="room", text="yo", ts=9, key="k", reply_to="1")
    payload = EventEncoder("irc:libera", 7).outbound(12, message, Sent("m1", "room", 9))
    assert payload == expected("out", told)


def test_the_redelivered_payload_equals_the_encoded_event_too() -> None:
    backlog = Backlog()
    backlog.append(EventEncoder("a:b", 1).inbound(1, body_of(inbound())), INBOUND)
    backlog.next_pack()
    backlog.resend(marked=True)
    again = backlog.next_pack()
    assert again is not None
    event = decode(again.payloads[0], type=MessageEvent)
    assert event.redelivered
    assert decode(event.message, type=Inbound) == inbound()


def test_lone_surrogates_become_question_marks() -> None:
    message = inbound("a\ud800b", sender=Sender("ann", name="\udfff"), meta={"k": ["\ud800", 1]})
    event = decode(EventEncoder("a:b", 1).inbound(1, body_of(message)), type=MessageEvent)
    heard = decode(event.message, type=Inbound)
    assert (heard.text, heard.sender.name, heard.meta) == ("a?b", "?", {"k": ["?", 1]})


def test_no_id_keeps_a_nul_character() -> None:
    message = inbound("a\0b", id="1\0", sender=Sender("ann\0ette"), meta={"k": ["\0"]})
    heard = decode(body_of(message), type=Inbound)
    assert (heard.id, heard.sender.id, heard.text) == ("1\ufffd", "ann\ufffdette", "a\ufffdb")
    happened = Happened("deleted", Chat("ro\0om", "group"), 5, message="7\0")
    assert decode(happened_body(happened), type=Happened).chat.id == "ro\ufffdom"
    typed = inbound("\\u0000")  # what a person writes who means the character
    assert decode(body_of(typed), type=Inbound) == typed


def test_a_text_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        body_of(inbound("x" * (MAX_TEXT + 1)))


def test_a_payload_beyond_the_frame_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        body_of(inbound(meta={"blob": "x" * MAX_PAYLOAD_BYTES}))


def test_what_nests_too_deep_is_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(64):
        deep = {"more": deep}
    with pytest.raises(ValueError, match="nested deeper than 64 levels"):
        body_of(inbound(meta=deep))


def test_what_claims_to_be_json_already_is_looked_at() -> None:
    with pytest.raises(ValueError, match="malformed payload"):
        body_of(inbound(meta={"raw": msgspec.Raw(b'1},"event":"tick"')}))


def test_what_cannot_be_json_is_refused() -> None:
    with pytest.raises(TypeError):
        body_of(inbound(meta={"socket": object()}))


def test_what_has_happened_is_the_payload_of_its_own_event() -> None:
    happened = Happened(
        "reaction", Chat("room", "group"), 5, sender=Sender("ann"), message="7", emoji="👍"
    )
    payload = EventEncoder("irc:libera", 7).happened(12, happened_body(happened))
    assert payload == msgspec.json.encode(
        ChannelEvent("irc:libera", "irc", "libera", "7:12", msgspec.Raw(happened_body(happened)))
    )


def test_an_event_of_any_text_is_bounded_and_without_surrogates() -> None:
    chat = Chat("room", "group")
    assert decode(happened_body(Happened("pressed", chat, 5, data="\ud800")))["data"] == "?"
    with pytest.raises(ValueError, match="at most 65536"):
        happened_body(Happened("voted", chat, 5, choices=["x" * 70_000]))


def test_a_cursor_is_any_json() -> None:
    assert decode(cursor_text({"offset": 7, "seen": ["ä"]})) == {"offset": 7, "seen": ["ä"]}


@pytest.mark.parametrize(
    ("cursor", "error", "words"),
    [
        ("x" * 65_536, ValueError, "65538 bytes, at most 65536"),
        (json.loads("[" * 65 + "]" * 65), ValueError, "cursor: malformed payload"),
        ("\ud800", ValueError, "no lone surrogates"),
        (object(), TypeError, "object"),
    ],
    ids=["too large", "too deep", "surrogate", "not JSON"],
)
def test_a_cursor_that_cannot_be_kept_is_refused(
    cursor: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        cursor_text(cursor)
