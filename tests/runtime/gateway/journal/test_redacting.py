"""What remains of a message that was not admitted, and what readers see where nothing remains."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.data import ADDRESSED, INBOUND
from runtime.gateway.journal.records import Part
from runtime.gateway.journal.redacting import (
    REDACTED,
    Stored,
    emptied,
    readable,
    redacted,
    remains_bytes,
    remains_of,
)
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, shown

FLAGS = INBOUND | ADDRESSED


def test_of_a_message_remain_its_ids_its_time_and_the_reason() -> None:
    more: dict[str, Any] = {
        "chat": {"id": "room", "kind": "group", "title": "SECRET"},
        "sender": {"id": "eve", "name": "SECRET"},
        "text": "SECRET",
        "meta": {"a": "SECRET"},
        "replyTo": "SECRET",
        "attachments": [{"url": f"media:{'a' * 32}", "name": "SECRET"}],
        "ts": 7,
    }
    left = remains_of(payload(KEY, 5, **more), "blocked")
    assert b"SECRET" not in left
    assert b"media:" not in left
    assert msgspec.json.decode(left) == {
        "account": KEY,
        "channel": "irc",
        "accountId": "libera",
        "direction": "in",
        "cursor": "1:5",
        "message": {
            "id": "m5",
            "chat": {"id": "room", "kind": "group"},
            "sender": {"id": "eve"},
            "text": "",
            "ts": 7,
        },
        "dropped": "blocked",
    }


def test_what_follows_repeated_messages_goes_on_naming_them() -> None:
    event = msgspec.json.decode(payload(KEY, 5)) | {"skips": [4]}
    assert msgspec.json.decode(remains_of(msgspec.json.encode(event), "bot"))["skips"] == [4]


def test_long_ids_do_not_carry_a_text() -> None:
    assert len(remains_of(payload(KEY, 5, sender={"id": "x" * 100_000}), "bot")) < 1000


def test_only_what_is_named_is_redacted_and_once() -> None:
    payloads = [payload(KEY, number) for number in (4, 5, 6)]
    found = redacted(4, bytes([FLAGS] * 3), payloads, {3: "bot", 5: "bot", 9: "bot"})
    assert found.flags == bytes([FLAGS, FLAGS | REDACTED, FLAGS])
    assert (found.payloads[0], found.payloads[2]) == (payloads[0], payloads[2])
    assert found.grown == len(found.payloads[1]) == remains_bytes(found.flags, found.payloads)
    again = redacted(4, found.flags, found.payloads, {5: "blocked"})
    assert (again.payloads, again.grown) == (found.payloads, 0)
    left = emptied(found.flags, found.payloads)
    assert left.payloads == [payloads[0], b"", payloads[2]]
    assert (left.grown, remains_bytes(left.flags, left.payloads)) == (-found.grown, 0)


def part(first: int, kept: str, incarnation: int = 1) -> Stored:
    """Return frames from a number on, of which those are empty that stand as a dot."""
    payloads = [
        b"" if each == "." else payload(KEY, first + index, incarnation)
        for index, each in enumerate(kept)
    ]
    return incarnation, 0, Part(first, bytes(range(first, first + len(kept))), payloads)


@pytest.mark.parametrize(
    ("stored", "after", "seen"),
    [
        ([part(1, "xx")], (0, 0), ["1:1 m1", "1:2 m2"]),
        ([part(1, "x.x")], (0, 0), ["1:1 m1", "1:3 m3 skips [2]"]),
        ([part(1, "x.."), part(4, ".x")], (0, 0), ["1:1 m1", "1:5 m5 skips [[2, 4]]"]),
        ([part(1, "..x")], (0, 0), ["1:3 m3 skips [[1, 2]]"]),
        ([part(6, ".x")], (1, 4), ["1:7 m7 skips [[5, 6]]"]),  # 5 was a repeated message
        ([part(1, "x..")], (0, 0), ["1:1 m1"]),
        ([part(1, "x.."), part(1, ".x", 2)], (0, 0), ["1:1 m1", "2:2 m2 skips [1]"]),
        ([part(1, "..."), part(4, ".")], (0, 0), []),
    ],
)
def test_readers_learn_the_numbers_of_which_nothing_remains(
    stored: list[Stored], after: tuple[int, int], seen: list[str]
) -> None:
    found = readable(stored, after)
    assert [shown(each) for _, _, part in found for each in part.payloads] == seen
    for _, _, each in found:  # flags go with their frames
        assert list(each.flags) == list(range(each.first, each.last + 1))


def test_skips_that_an_event_has_already_stay_behind_the_others() -> None:
    event = msgspec.json.decode(payload(KEY, 4)) | {"skips": [3]}
    stored = [part(1, "x."), (1, 0, Part(4, b"\4", [msgspec.json.encode(event)]))]
    assert shown(readable(stored, (0, 0))[-1][2].payloads[0]) == "1:4 m4 skips [2, 3]"
