"""Subscriptions to our own events, and the replay of what a client missed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.data import HAPPENED
from ipc.frames.websocket import Event
from ipc.websocket.connect import ConnectOptions
from ipc.websocket.reconnecting import GAP, ReconnectingClient, Subscription
from runtime.gateway.access.scopes import OPERATOR
from runtime.gateway.accounts.fanout import MESSAGE
from runtime.gateway.accounts.replay import UNREAD_BYTES
from runtime.gateway.journal import copies
from runtime.gateway.journal.interface import FILE
from tests.support.gateway_rig import TOKEN, gateway_rig, row, single
from tests.support.messages import KEY, acked, cursors, recall, take, with_past
from tests.support.rawclient import RawClient
from tests.support.until import PATIENCE, until

COUNT = 800  # messages of a kilobyte, which a ring keeps


async def test_our_own_events_have_no_number_and_go_only_to_those_who_ask() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        seen: list[Event] = []
        watcher, other = await rig.watcher(), await rig.client(on_event=seen.append)
        worker.say(1)
        async with asyncio.timeout(PATIENCE):
            async for event in watcher.events():
                if event.event == "channel.message":
                    assert event.seq is msgspec.UNSET
                    break
        await other.call("health")
        assert [event.event for event in seen if event.event.startswith("channel.")] == []


async def test_a_subscription_may_name_accounts_and_events() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        one, two = await rig.worker(KEY), await rig.worker("irc:oftc")
        client = await rig.client()
        wanted = {"accounts": ["irc:oftc"], "events": ["channel.message"]}
        await client.call("events.subscribe", wanted)
        one.say(1)
        await acked(one, 1)
        two.say(1)
        await rig.report(row("irc:oftc", "stopping"))
        two.say(2)
        assert [body["account"] for _, body in await take(client, 2)] == ["irc:oftc"] * 2


async def test_a_client_that_was_away_gets_what_it_missed() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        for seq in range(1, 6):
            worker.say(seq)
        await acked(worker, 5)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:2"}})
        assert answer["replayed"] == 3
        assert answer["gaps"] == []
        worker.say(6)
        assert cursors(await take(client, 4)) == ["1:3", "1:4", "1:5", "1:6"]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (None, ["channel.message", "channel.event", "channel.message"]),
        (["channel.message"], ["channel.message", "channel.message"]),
        (["channel.event"], ["channel.event"]),
    ],
)
async def test_what_else_has_happened_comes_in_order_and_is_replayed(
    events: list[str] | None, told: list[str]
) -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        watcher = await rig.watcher()
        happened = {"account": KEY, "channel": "irc", "accountId": "libera", "cursor": "1:2"}
        worker.say(1)
        worker.send(single(2, HAPPENED, msgspec.json.encode(happened | {"happened": {}})))
        worker.say(3)
        await acked(worker, 3)
        first = await take(watcher, 3)
        assert [name for name, _ in first] == [
            "channel.message",
            "channel.event",
            "channel.message",
        ]
        client = await rig.client()
        wanted = {"cursors": {KEY: "1:0"}} | ({} if events is None else {"events": events})
        assert (await client.call("events.subscribe", wanted))["replayed"] == len(told)
        assert [name for name, _ in await take(client, len(told))] == told


async def test_a_replay_that_cannot_be_complete_says_so() -> None:
    async with gateway_rig(limits={"ringMessages": 2}) as rig:
        worker = await rig.worker(KEY)
        for seq in range(1, 6):
            worker.say(seq)
        await acked(worker, 5)
        client = await rig.client()
        answer = await client.call(
            "events.subscribe", {"cursors": {KEY: "1:1", "irc:never": "1:1"}}
        )
        assert answer["gaps"] == [KEY, "irc:never"]
        assert cursors(await take(client, 4)) == ["1:4", "1:5"]


async def test_a_new_gateway_asks_for_history_and_replays_it_without_handing_it_on() -> None:
    async with gateway_rig() as rig:
        watcher = await rig.watcher()
        worker, welcome = await with_past(rig, oldest=5, kept=2)
        assert (welcome.acked, welcome.wanted) == (4, 2)
        recall(worker, 2, 3, 4)
        worker.say(5)
        await acked(worker, 5)
        assert rig.parts.data_link.messages == 1
        assert cursors(await take(watcher, 1)) == ["1:5"]
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        assert answer["gaps"] == []
        assert cursors(await take(client, 4)) == ["1:2", "1:3", "1:4", "1:5"]


async def test_a_cursor_before_the_history_gets_a_gap_and_then_what_there_is() -> None:
    async with gateway_rig() as rig:
        worker, _ = await with_past(rig, oldest=4, kept=3)
        recall(worker, 3)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        assert answer["gaps"] == [KEY]
        found = await take(client, 2)
        assert found[0] == ("channel.gap", {"account": KEY, "after": "1:1", "oldest": "1:3"})
        assert cursors(found) == ["1:3"]


async def test_a_client_that_is_faster_than_the_account_waits_for_its_history() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        asked = client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        assert rig.tasks is not None
        answered = rig.tasks.create_task(asked)
        await client.call("health")
        assert not answered.done()
        worker, _ = await with_past(rig, oldest=4, kept=2)
        recall(worker, 2, 3)
        assert (await answered)["gaps"] == []
        assert cursors(await take(client, 2)) == ["1:2", "1:3"]


async def test_where_the_ring_ends_the_replay_comes_from_the_journal(tmp_path: Path) -> None:
    on = row(KEY, journal="on")
    async with gateway_rig(on, state_dir=tmp_path, limits={"ringMessages": 3}) as rig:
        worker = await rig.worker(KEY, journal="on")
        for seq in range(1, 300):
            worker.say(seq)
        worker.say(300, id="m299")
        await acked(worker, 300)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:0"}})
        assert (answer["replayed"], answer["gaps"]) == (299, [])
        worker.say(301)
        found = await take(client, 300)
        assert cursors(found) == [f"1:{seq}" for seq in range(1, 302) if seq != 300]
        assert found[-1][1]["skips"] == [300]
        answer = await client.call("events.subscribe", {"cursors": {KEY: "0:9"}})
        assert answer["gaps"] == [KEY]
    async with gateway_rig(on, state_dir=tmp_path) as rig:
        client = await rig.client()
        await rig.worker(KEY, journal="on")
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:290"}})
        assert (answer["replayed"], answer["gaps"]) == (10, [])
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:301"}})
        assert (answer["replayed"], answer["gaps"]) == (0, [])


@pytest.mark.parametrize("events", [None, ["channel.event"]])
async def test_the_answer_says_where_what_follows_begins(
    tmp_path: Path, events: list[str] | None
) -> None:
    rows = [row(KEY, journal="on"), row("irc:oftc", "starting", 3)]
    wanted: dict[str, Any] = {} if events is None else {"events": events}
    async with gateway_rig(*rows, state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        client = await rig.client()
        before = await client.call("events.subscribe", wanted)
        assert before["cursors"] == {KEY: "0:0", "irc:oftc": "3:0", "*": "0:0"}
        worker.say(1)
        await acked(worker, 1)
        named = await client.call("events.subscribe", wanted | {"accounts": [KEY, "irc:never"]})
        assert named["cursors"] == {KEY: "1:1", "irc:never": "0:0"}
        status = await client.call("events.subscribe", {"events": ["channel.status"]})
        assert status["cursors"] == {}
    async with gateway_rig(*rows, state_dir=tmp_path) as rig:
        client = await rig.client()
        after = await client.call("events.subscribe", wanted | {"cursors": before["cursors"]})
        assert (after["replayed"], after["gaps"]) == (events is None, [])


async def test_what_a_new_account_has_sent_is_replayed_to_those_who_were_there_before_it(
    tmp_path: Path,
) -> None:
    new = row("irc:oftc", journal="on")
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        there = (await (await rig.client()).call("events.subscribe"))["cursors"]
        await rig.report(new)
        worker = await rig.worker("irc:oftc", journal="on")
        worker.say(1)
        await acked(worker, 1)
        late = (await (await rig.client()).call("events.subscribe"))["cursors"]
    async with gateway_rig(row(KEY, journal="on"), new, state_dir=tmp_path) as rig:
        for cursors_, count in ((there, 1), (late, 0)):
            client = await rig.client()
            answer = await client.call("events.subscribe", {"cursors": cursors_})
            assert (answer["replayed"], answer["gaps"]) == (count, [])


async def test_an_account_that_was_removed_is_replayed_to_its_end(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        client = await rig.client()
        before = (await client.call("events.subscribe"))["cursors"]
        worker.say(1)
        await acked(worker, 1)
        await rig.report(removed=[KEY])
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": before})
        assert (answer["replayed"], answer["gaps"]) == (1, [])
        assert answer["cursors"][KEY] == "1:1"


async def test_a_cursor_that_is_newer_than_a_restored_journal_gets_a_gap(tmp_path: Path) -> None:
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        worker.say(1)
        await acked(worker, 1)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:5"}})
        assert (answer["gaps"], answer["cursors"][KEY]) == ([KEY], "1:1")
        assert await take(client, 1) == [("channel.gap", {"account": KEY, "after": "1:5"})]


@pytest.mark.parametrize(
    ("again", "missed"),
    [
        (None, ["1:2", "1:3"]),
        ({"irc:oftc": "0:0"}, ["1:2", "1:3"]),
        ({KEY: "1:2"}, ["1:3"]),
        ({}, []),
    ],
    ids=["once", "with another cursor", "with a newer one", "without any"],
)
async def test_what_was_missed_comes_when_the_journal_can_be_read_and_is_no_gap_before(
    tmp_path: Path, again: dict[str, str] | None, missed: list[str]
) -> None:
    on, file, away = row(KEY, journal="on"), tmp_path / FILE, tmp_path / "away"
    async with gateway_rig(on, state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        for seq in range(1, 4):
            worker.say(seq)
        await acked(worker, 3)
    file.rename(away)
    file.mkdir()  # which is no file that could be opened
    async with gateway_rig(on, row("irc:oftc"), state_dir=tmp_path) as rig:
        other = await rig.worker("irc:oftc")
        await until(lambda: rig.parts.intake.fault)
        client = await rig.client()
        for cursors_ in ({KEY: "1:1"}, *([] if again is None else [again])):
            answer = await client.call("events.subscribe", {"cursors": cursors_})
            assert (answer["gaps"], answer["replayed"]) == ([], 0)
            assert KEY not in answer["cursors"]
        other.say(1)  # others are not held up
        assert cursors(await take(client, 1)) == ["1:1"]
        file.rmdir()
        away.rename(file)
        await until(lambda: rig.parts.intake.ready)
        worker = await rig.worker(KEY, 2, journal="on")
        worker.say(1, id="new")
        messages: list[tuple[str, Any]] = []
        while len(messages) < len(missed) + 1:
            messages += [each for each in await take(client, 1) if each[0] != "channel.status"]
        assert {name for name, _ in messages} == {"channel.message"}
        assert cursors(messages) == [*missed, "2:1"]


@pytest.mark.parametrize("cursor", ["1:1", "1:2", "1:4"])
async def test_what_a_restored_journal_lacks_is_a_gap_also_when_it_has_gone_on(
    tmp_path: Path, cursor: str
) -> None:
    on, file = row(KEY, journal="on"), tmp_path / FILE
    for seqs in ((1, 2), (3, 4)):
        async with gateway_rig(on, state_dir=tmp_path) as rig:
            worker = await rig.worker(KEY, journal="on")
            for seq in seqs:
                worker.say(seq)
            await acked(worker, seqs[-1])
        if not (tmp_path / "copy.db").exists():
            copies.copy(file, tmp_path / "copy.db")
    copies.restore(tmp_path / "copy.db", file)
    async with gateway_rig(on, state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, 2, journal="on")
        worker.say(1, id="new")
        await acked(worker, 1)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: cursor}})
        assert answer["gaps"] == [KEY]
        found = await take(client, answer["replayed"] + 1)
        assert cursors(found) == (["1:2", "2:1"] if cursor == "1:1" else ["2:1"])


async def test_nothing_new_comes_before_what_was_missed_and_nothing_falls_between() -> None:
    """A client that is subscribed already subscribes anew, and has to wait for history."""
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        client = await rig.watcher()
        other = await rig.worker("irc:oftc")
        other.say(1)
        await acked(other, 1)
        assert rig.tasks is not None
        asked = client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        answered = rig.tasks.create_task(asked)
        await (await rig.client()).call("health")
        other.say(2)
        await acked(other, 2)
        worker, _ = await with_past(rig, oldest=3, kept=2)
        worker.say(3)
        recall(worker, 2)
        assert (await answered)["gaps"] == []
        await acked(worker, 3)
        found = [(body["account"], body["cursor"]) for _, body in await take(client, 4)]
        assert [at for key, at in found if key == KEY] == ["1:2", "1:3"]
        assert [at for key, at in found if key != KEY] == ["1:1", "1:2"]


@pytest.mark.parametrize("journal", ["on", "off"])
async def test_a_replay_closes_no_client_that_reads_late_however_little_may_be_unread(
    journal: str,
) -> None:
    # Beside the replay the client gets events that are not paced, like presence.
    most = UNREAD_BYTES + 4096
    limits = {"bufferedBytes": most, "bufferedTotalBytes": most}
    if journal == "on":
        limits["ringMessages"] = 100
    async with gateway_rig(row(KEY, journal=journal), limits=limits) as rig:
        worker = await rig.worker(KEY, journal=journal)
        for seq in range(1, COUNT + 1):
            worker.say(seq, text="x" * 1000)
            if seq % 100 == 0:
                await acked(worker, seq)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", rig.port))
        slow = await RawClient.open(rig.url, sock=sock)
        rig.opened.append(slow)
        await slow.hello(TOKEN)
        clients = rig.parts.hub.clients
        (connection,) = (each.connection for each in clients if each.role == OPERATOR)
        slow.socket.transport.pause_reading()
        wanted = {"cursors": {KEY: "1:0"}, "events": ["channel.message"]}
        await slow.send({"type": "req", "id": "r", "method": "events.subscribe", "params": wanted})
        other = await rig.client()
        await until(lambda: connection.buffered_bytes > UNREAD_BYTES // 2)
        assert connection.buffered_bytes <= UNREAD_BYTES <= connection.write_limit_high
        answer = await other.call("events.subscribe", wanted)
        assert (answer["replayed"], answer["gaps"]) == (COUNT, [])
        worker.say(COUNT + 1)
        await acked(worker, COUNT + 1)
        assert not rig.parts.server.patient
        slow.socket.transport.resume_reading()
        found = [await slow.next()]
        while found[-1]["type"] != "res":
            found.append(await slow.next())
        assert found[-1]["payload"]["replayed"] == COUNT + 1
        assert rig.parts.server.unread.slow == 0
        told = [each["payload"]["cursor"] for each in found if each.get("event") == MESSAGE]
        assert told == [f"1:{seq}" for seq in range(1, COUNT + 2)]


async def test_what_becomes_of_accounts_during_a_replay_is_sent_after_it() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc"), row("irc:third", "stopped")) as rig:
        client = await rig.watcher()
        await rig.worker("irc:oftc")
        assert rig.tasks is not None
        asked = client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        answered = rig.tasks.create_task(asked)
        await (await rig.client()).call("health")
        await rig.report(row("irc:oftc", "stopping"), removed=["irc:third"])
        worker, _ = await with_past(rig, oldest=3, kept=2)
        recall(worker, 2)
        await answered
        await rig.report(row("irc:oftc", "stopped"))
        found = await take(client, 5)
        assert [(name, body["account"], body.get("phase")) for name, body in found] == [
            ("channel.gap", "irc:third", None),
            ("channel.message", KEY, None),
            ("channel.status", "irc:oftc", "stopping"),
            ("channel.removed", "irc:third", None),
            ("channel.status", "irc:oftc", "stopped"),
        ]


async def test_a_later_subscription_waits_for_the_replay_of_an_earlier_one() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc")) as rig:
        worker = await rig.worker(KEY)
        for seq in range(1, 4):
            worker.say(seq)
        await acked(worker, 3)
        client = await rig.client()
        assert rig.tasks is not None
        asked = client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        first = rig.tasks.create_task(asked)  # waits for the other account's history
        await (await rig.client()).call("health")
        second = rig.tasks.create_task(client.call("events.subscribe", {"accounts": [KEY]}))
        await (await rig.client()).call("health")
        assert not second.done()
        await rig.worker("irc:oftc")
        assert ((await first)["replayed"], (await second)["replayed"]) == (2, 0)
        worker.say(4)
        assert cursors(await take(client, 3)) == ["1:2", "1:3", "1:4"]


async def test_our_client_takes_no_repeated_message_for_a_gap(tmp_path: Path) -> None:
    seen: list[Event] = []
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, journal="on")
        options = ConnectOptions(token=TOKEN)
        client = ReconnectingClient(
            rig.url, on_event=seen.append, subscribe=Subscription(), **options
        )
        async with client:
            for seq, name in enumerate(["a", "b", "a", "b", "c"], 1):
                worker.say(seq, id=name)
            await acked(worker, 5)
            await until(lambda: sum(each.event == "channel.message" for each in seen) == 3)
    assert [each.event for each in seen if each.event in (GAP, "channel.gap")] == []
