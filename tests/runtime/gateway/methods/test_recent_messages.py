"""``messages.recent``, over real sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.data import HAPPENED, INBOUND, Messages
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.methods.recent_messages import _within, newest_messages
from tests.support.gateway_rig import gateway_rig, payload, row, single
from tests.support.until import until

KEYS = ("irc:libera", "irc:oftc")


async def recent(client: Any, **params: Any) -> list[str]:
    found = (await client.call("messages.recent", params))["messages"]
    return [each["cursor"] + " " + each["account"] for each in found]


async def test_the_newest_messages_of_all_accounts_come_first() -> None:
    async with gateway_rig(*map(row, KEYS)) as rig:
        one, other = [await rig.worker(key) for key in KEYS]
        one.send(
            Messages(1, bytes([INBOUND] * 3), [payload(KEYS[0], n, ts=n * 10) for n in (1, 2, 3)])
        )
        other.send(single(1, INBOUND, payload(KEYS[1], 1, ts=25)))
        names = b'{"account":"irc:oftc","channel":"irc","accountId":"oftc"'
        other.send(single(2, HAPPENED, names + b',"cursor":"1:2","happened":{"kind":"read"}}'))
        rings = rig.parts.rings
        await until(lambda: len(rings.of(KEYS[0])) == 3 and len(rings.of(KEYS[1])) == 2)
        client = await rig.client()
        libera, oftc = KEYS
        newest = [f"1:3 {libera}", f"1:1 {oftc}", f"1:2 {libera}", f"1:1 {libera}"]
        assert await recent(client) == newest
        assert await recent(client, limit=2) == newest[:2]
        assert await recent(client, accounts=[oftc]) == newest[1:2]
        assert await recent(client, accounts=["irc:none"]) == []
        assert await recent(client, accounts=[oftc, oftc]) == newest[1:2]

        same = [payload(KEYS[0], number, ts=40) for number in (4, 5, 6)]
        one.send(Messages(4, bytes([INBOUND] * 3), same))
        await until(lambda: len(rings.of(libera)) == 6)
        of_one_instant = [f"1:{number} {libera}" for number in (6, 5, 4)]
        assert await recent(client) == of_one_instant + newest
        assert await recent(client, limit=2) == of_one_instant[:2]
        assert not (await client.call("messages.recent"))["more"]
        assert (await client.call("messages.recent", {"limit": 2}))["more"]
        with pytest.raises(RemoteError, match=r"invalid messages\.recent params"):
            await client.call("messages.recent", {"limit": 0})


def times(found: list[bytes]) -> list[int]:
    return [int(json.loads(each)["message"]["ts"]) for each in found]


def rings_of(**messages: list[bytes]) -> Rings:
    rings = Rings(10_000, 1 << 24)
    for key, payloads in messages.items():
        rings.extend(key, 1, 1, payloads)
    return rings


@pytest.mark.parametrize("limit", [1, 7, 500])
def test_one_busy_account_among_quiet_ones_is_read_as_far_as_it_reaches(limit: int) -> None:
    busy = [payload("busy", number, ts=10 * number) for number in range(900)]
    quiet = {f"q{number}": [payload("quiet", 1, ts=number)] for number in range(1000)}
    rings = rings_of(busy=busy, **quiet)
    expected = list(range(8990, -10, -10))[:limit]
    found, more = newest_messages(rings, ["busy", *quiet], limit)
    assert times(found) == expected
    assert more


def test_what_came_late_does_not_hide_what_is_newer() -> None:
    """A bouncer's playback is the last that came, and the oldest by its time."""
    late = [payload("a", number, ts=5000 + number) for number in range(50)]
    late += [payload("a", number, ts=number) for number in range(50, 60)]
    rings = rings_of(a=late, b=[payload("b", 1, ts=5010)])
    found, _ = newest_messages(rings, ["a", "b"], 20)
    assert times(found) == list(range(5049, 5029, -1))


def test_what_is_no_message_is_passed_over() -> None:
    other = [b'{"happened":{"kind":"read"}}'] * 40
    rings = rings_of(a=[payload("a", 1, ts=1), *other], b=[payload("b", 1, ts=2)] * 3)
    found, more = newest_messages(rings, ["a", "b"], 100)
    assert times(found) == [2, 2, 2, 1]
    assert not more


def test_large_texts_make_the_answer_shorter() -> None:
    payloads = [b"x" * 10, b"y" * 10, b"z"]
    assert list(_within(payloads, 20)) == payloads[:2]
    assert list(_within(payloads, 5)) == payloads[:1]
    assert list(_within(payloads, 21)) == payloads
