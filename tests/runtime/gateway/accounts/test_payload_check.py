"""What a worker may have handed on: honest payloads of every channel, and no forged one."""

from __future__ import annotations

import json

import pytest

from ipc.errors import FrameError
from ipc.frames.data import HAPPENED, HISTORY, INBOUND, REDELIVERED, Messages
from ipc.nesting import MAX_DEPTH
from runtime.gateway.accounts.payload_check import PayloadCheck, ValidPart, valid_parts
from tests.support.forged_payloads import EVENT, FORGED, FORGED_EVENTS, HEAD, IN
from tests.support.gateway_rig import payload
from tests.support.messages import KEY
from workers.links.backlog import Backlog
from workers.links.events import EventEncoder, body_of, happened_body
from workers.messages import Attachment, Chat, Happened, Inbound, Outbound, Sender, Sent


@pytest.mark.parametrize("body", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("flags", [INBOUND, 0, INBOUND | REDELIVERED, HISTORY])
def test_a_forged_message_is_refused(flags: int, body: bytes) -> None:
    check = PayloadCheck(KEY, 1)
    with pytest.raises(FrameError, match="malformed payload"):
        check.id_of(7, flags, body)
    honest = [payload(KEY, 6), body, payload(KEY, 8)]
    assert check.ids_of(Messages(6, bytes([flags] * 3), honest)) is None


@pytest.mark.parametrize("body", FORGED_EVENTS.values(), ids=FORGED_EVENTS)
def test_a_forged_event_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError, match="malformed payload"):
        PayloadCheck(KEY, 1).id_of(7, HAPPENED, body)


@pytest.mark.parametrize(
    ("flags", "body", "expected"),
    [
        (INBOUND, payload(KEY, 7, id="plain"), "plain"),
        (INBOUND, payload(KEY, 7, id="grüße"), "grüße"),
        (INBOUND, payload(KEY, 7, id='with "quotes" and \\'), 'with "quotes" and \\'),
        (INBOUND, IN + b',"message":{"text":"id is last","id":"late"}}', "late"),
        (INBOUND, IN + b',"message":{"text":"none"}}', None),
        (0, payload(KEY, 7, id="sent by us"), None),
        (HAPPENED, EVENT + b',"happened":{"id":"no message"}}', None),
    ],
)
def test_the_id_of_a_message(flags: int, body: bytes, expected: str | None) -> None:
    assert PayloadCheck(KEY, 1).id_of(7, flags, body) == expected


@pytest.mark.parametrize("id", ["\0", "m7\0", "m\0other"])
def test_an_id_that_the_journal_would_take_for_another_is_refused(id: str) -> None:
    check = PayloadCheck(KEY, 1)
    body = payload(KEY, 7, id=id)
    with pytest.raises(FrameError, match="the id of its message has a NUL"):
        check.id_of(7, INBOUND, body)
    assert check.ids_of(Messages(6, bytes([INBOUND, INBOUND]), [payload(KEY, 6), body])) is None
    assert check.id_of(7, 0, body) is None  # what we have sent is looked up by its own key


def test_a_pack_of_messages_is_read_as_each_of_them() -> None:
    pack = Messages(6, bytes([INBOUND, 0, INBOUND]), [payload(KEY, seq) for seq in (6, 7, 8)])
    check = PayloadCheck(KEY, 1)
    assert check.ids_of(pack) == ids(check, pack) == ["m6", None, "m8"]
    assert check.ids_of(pack.part(6, 6)) == ["m6"]
    assert check.ids_of(Messages(7, pack.flags, pack.payloads)) is None


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (payload(KEY, 7), True),
        (HEAD + b',"anything', True),
        (HEAD, True),
        (HEAD + b"\x7f", True),
        (HEAD[:-1], False),
        (HEAD[:-1] + bytes([HEAD[-1] - 1]) + b"\x7f", False),
        (HEAD[:-1] + bytes([HEAD[-1] + 1]), False),
        (payload(KEY, 7, text="grüße"), True),
        (payload("irc:oftc", 7), False),
        (payload("irc:liberal", 7), False),
        (b"plain", False),
        (b"", False),
        (HEAD + b"\xff", False),
        (HEAD + b"half \xc3", False),
        (HEAD + b"\xed\xa0\x80", False),
    ],
)
def test_without_a_journal_text_and_the_account_s_names_are_asked_for(
    body: bytes, fits: bool
) -> None:
    check = PayloadCheck(KEY, 1)
    pack = Messages(6, bytes(3), [payload(KEY, 6), body, payload(KEY, 8)])
    assert check.heads_fit(pack) is (fits and body.isascii())
    if fits:
        assert check.check_head(7, INBOUND, body) is None
    else:
        with pytest.raises(FrameError):
            check.check_head(7, INBOUND, body)


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ([], [(6, 9)]),
        ([6], [(7, 9)]),
        ([9], [(6, 8)]),
        ([7], [(6, 6), (8, 9)]),
        ([7, 8], [(6, 6), (9, 9)]),
        ([6, 8], [(7, 7), (9, 9)]),
        ([6, 7, 8, 9], []),
    ],
)
def test_a_pack_is_divided_where_payloads_are_refused(
    wrong: list[int], parts: list[tuple[int, int]]
) -> None:
    payloads = [b"forged" if seq in wrong else payload(KEY, seq) for seq in range(6, 10)]
    pack = Messages(6, bytes([INBOUND] * 4), payloads)
    found, refused, why = valid_parts(pack, PayloadCheck(KEY, 1).id_of)
    assert found == [
        ValidPart(pack.part(first, last), [f"m{seq}" for seq in range(first, last + 1)])
        for first, last in parts
    ]
    assert (refused, bool(why)) == (len(wrong), bool(wrong))


@pytest.mark.parametrize("key", ["irc:libera", "local:one", "telegram:shop", 'odd:a"ü\\'])
def test_what_our_workers_write_passes(key: str) -> None:
    events, backlog = EventEncoder(key, 3), Backlog()
    deep: object = 1
    for _ in range(MAX_DEPTH - 2):
        deep = [deep]
    said = Inbound(
        id="1",
        chat=Chat("#room", "group"),
        sender=Sender("ann", name="Änn"),
        text='}},"account":"irc:oftc","cursor":"9:9"{"\\ \u2028\x00\x7f',
        ts=5,
        attachments=[Attachment("file:///a", size_bytes=3)],
        meta={"account": "irc:oftc", "cursor": "9:9", "deep": deep, "long": "x" * 5000},
    )
    backlog.append(events.inbound(1, body_of(said)), INBOUND)
    sent = Outbound(to="#room", text="yo", key="k")
    backlog.append(events.outbound(2, sent, Sent("m1", "#room", 9)), 0)
    happened = Happened(kind="deleted", chat=Chat("#room", "group"), message="1", ts=5)
    backlog.append(events.happened(3, happened_body(happened)), HAPPENED)
    check = PayloadCheck(key, 3)
    first = backlog.next_pack()
    assert first is not None
    assert ids(check, first) == ["1", None, None]
    backlog.resend(marked=True)
    again = backlog.next_pack()
    assert again is not None
    assert json.loads(again.payloads[2])["redelivered"] is True
    assert ids(check, again) == ["1", None, None]


def ids(check: PayloadCheck, pack: Messages) -> list[str | None]:
    return [
        check.id_of(number, flags, body)
        for number, (flags, body) in enumerate(
            zip(pack.flags, pack.payloads, strict=True), pack.first
        )
    ]
