from __future__ import annotations

import pytest

from ipc.nesting import MALFORMED, decode_json
from workers.channels.slack.objects import Envelope, EventPayload, MessageNews, SlackReply


def test_what_is_null_is_as_what_is_left_out() -> None:
    text = b'{"type":"message","channel":"C1","ts":"1.2","user":null,"subtype":null,"files":null}'
    assert decode_json(text, MessageNews) == MessageNews("1.2", type="message", channel="C1")


def test_what_an_envelope_holds_is_decoded_when_its_type_is_known() -> None:
    text = '{"type":"events_api","envelope_id":"e","payload":{"type":"x","event":{"a":[1]}}}'
    envelope = decode_json(text, Envelope)
    payload = decode_json(envelope.payload, EventPayload)
    assert bytes(payload.event) == b'{"a":[1]}'
    assert bytes(decode_json('{"type":"hello"}', Envelope).payload) == b"null"


def test_an_answer_without_its_verdict_is_none() -> None:
    with pytest.raises(MALFORMED):
        decode_json(b"{}", SlackReply)
