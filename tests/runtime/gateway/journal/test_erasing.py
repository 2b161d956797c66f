"""Which frames belong to a person, and what remains of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.data import ADDRESSED, HAPPENED, INBOUND
from runtime.gateway.journal.erasing import direct_chat, erased

ADA = "ada"
FILE = "a" * 32
DIRECT, GROUP = {"id": "dm-1", "kind": "direct"}, {"id": "room", "kind": "group", "title": "SECRET"}


def event(**body: Any) -> bytes:
    head = {"account": "irc:a", "channel": "irc", "accountId": "a", "cursor": "1:5"}
    return msgspec.json.encode(head | body)


def inbound(sender: str, chat: dict[str, Any], **more: Any) -> bytes:
    message = {"id": "m1", "chat": chat, "sender": {"id": sender, "name": "SECRET"}}
    return event(direction="in", message=message | {"text": "SECRET", "ts": 7} | more)


def outbound(to: str) -> bytes:
    message = {"id": "p1", "to": to, "text": "SECRET", "ts": 7, "key": "SECRET"}
    return event(direction="out", message=message)


def happened(sender: str | None, chat: dict[str, Any]) -> bytes:
    body = {"kind": "pressed", "chat": chat, "ts": 7, "data": "SECRET"}
    return event(happened=body | ({"sender": {"id": sender}} if sender else {}))


@pytest.mark.parametrize(
    ("payload", "hers"),
    [
        (inbound(ADA, DIRECT), True),
        (inbound(ADA, GROUP), True),
        (inbound("bob", GROUP, mentions=[ADA]), False),
        (inbound("bob", GROUP | {"id": "dm-1"}), False),  # no chat with her
        (inbound("bob", DIRECT), True),  # whoever writes there
        (outbound("dm-1"), True),
        (outbound("room"), False),
        (happened(ADA, GROUP), True),
        (happened("bob", GROUP), False),
        (happened(None, DIRECT), True),
    ],
)
def test_a_person_is_erased_and_nobody_else(payload: bytes, hers: bool) -> None:
    flags = INBOUND | ADDRESSED
    found = erased(payload, flags, ADA, {ADA, "dm-1"})
    assert (found is not None) is hers
    if found is not None:
        left = msgspec.json.decode(found[0])
        assert b"SECRET" not in found[0]
        assert b"ada" not in found[0]
        assert (left["account"], left["cursor"]) == ("irc:a", "1:5")
        assert (left.get("message") or left["happened"])["ts"] == 7
        assert found[1] == INBOUND  # no agent answers it
        again = erased(found[0], found[1], ADA, {ADA, "dm-1"})
        assert again is None


def test_what_clients_count_by_stays() -> None:
    payload = msgspec.json.decode(inbound(ADA, DIRECT)) | {"skips": [3, 4], "redelivered": True}
    found = erased(msgspec.json.encode(payload), HAPPENED, ADA, [])
    assert found is not None
    left = msgspec.json.decode(found[0])
    assert (left["skips"], left["redelivered"], left["direction"]) == ([3, 4], True, "in")


def test_stored_files_are_named() -> None:
    files = [{"url": f"media:{FILE}"}, {"url": "https://example.org/x"}, {"url": ""}]
    found = erased(inbound(ADA, GROUP, attachments=files), 0, ADA, [])
    assert found is not None
    assert found[2] == [FILE]


@pytest.mark.parametrize(
    ("payload", "chat"),
    [
        (inbound(ADA, DIRECT), "dm-1"),
        (inbound(ADA, GROUP), None),
        (inbound("bob", DIRECT), None),
        (outbound("dm-1"), None),
        (happened(ADA, DIRECT), "dm-1"),
    ],
)
def test_direct_chats_are_learnt_from_what_the_person_did(payload: bytes, chat: str | None) -> None:
    assert direct_chat(payload, ADA) == chat
