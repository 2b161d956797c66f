"""Replays of missed events: order, gaps and pace, to clients that read fast, slowly or not."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest

from ipc.errors import PeerGone
from ipc.frames.cursors import Cursor, Cursors
from ipc.frames.websocket import event
from ipc.websocket.sending import frame
from runtime.gateway.access.client_view import ClientView
from runtime.gateway.accounts.fanout import GAP, MESSAGE, event_frame
from runtime.gateway.accounts.replay import (
    LONGEST_PAUSE,
    READ_BYTES,
    READ_SECONDS,
    TURN_BYTES,
    UNREAD_BYTES,
    Replay,
    Replays,
)
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.journal.interface import PAGE_BYTES, FramePage
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.records import Left
from tests.support.gateway_rig import payload
from tests.support.journals import arrived
from tests.support.known_accounts import KnownAccounts
from tests.support.messages import KEY

OTHER = "irc:oftc"
HIGH = 32 * 1024  # at which the transport of a connection says that its client is behind
LONG = 1_000_000
EVENTS = frozenset({MESSAGE})

pytestmark = pytest.mark.virtual_time


class Reader:
    """A client and its connection; ``kernel`` bytes are taken from it before it has to read.

    ``most`` is the most that was ever unread here.
    """

    def __init__(self, kernel: int = 0) -> None:
        self.connection = self
        self.open, self.paused, self.cut = True, False, False
        self.most = 0
        self.turns: list[int] = []  # bytes of each write
        self._kernel = kernel
        self._out, self._sent, self._read = b"", b"", 0

    def end_young(self) -> None:
        """Nothing: it has no socket that could outlive a gateway."""

    def send_framed(self, framed: bytes) -> None:
        if not self._out:
            asyncio.get_running_loop().call_soon(self.write_out)
        self._out += framed

    def send_unnumbered(self, name: str, payload: Any) -> None:
        self.send_framed(frame(event(name, payload)))

    def write_out(self) -> None:
        if self._out:
            self.turns.append(len(self._out))
        self._sent, self._out = self._sent + self._out, b""
        self.most = max(self.most, self.buffered_bytes)
        self.paused = self.paused or self.buffered_bytes > HIGH

    @property
    def buffered_bytes(self) -> int:
        return max(len(self._sent) - self._read - self._kernel, 0) + len(self._out)

    def read(self, size: int) -> None:
        self._read = min(self._read + size, len(self._sent))
        if self.buffered_bytes < HIGH // 4:
            self.paused = False

    def cut_off(self) -> None:
        self.open, self.cut = False, True

    def events(self) -> Iterator[tuple[str, msgspec.Raw]]:
        """Yield name and payload of all events that were sent."""
        self.write_out()
        data, at = self._sent, 0
        while at < len(data):
            size, head = data[at + 1], 2
            if size > 125:
                head = 4 if size == 126 else 10
                size = int.from_bytes(data[at + 2 : at + head], "big")
            told = msgspec.json.decode(data[at + head : at + head + size], type=Told)
            yield told.event, told.payload
            at += head + size

    def cursors(self, key: str = KEY) -> list[str]:
        told = [msgspec.json.decode(body) for name, body in self.events() if name != GAP]
        return [each["cursor"] for each in told if each["account"] == key]

    def gaps(self) -> list[Any]:
        return [msgspec.json.decode(body) for name, body in self.events() if name == GAP]


class Told(msgspec.Struct):
    event: str
    payload: msgspec.Raw


class ReadJournal(MemoryJournal):
    """A journal that records what is read of it: after which cursor, and the limit in bytes.

    ``pruned`` are accounts of which everything up to a cursor is removed once it was read from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[Cursor, int]] = []
        self.pruned: dict[str, Cursor] = {}

    async def after(self, key: str, cursor: Cursor, limit_bytes: int = PAGE_BYTES) -> FramePage:
        self.reads.append((cursor, limit_bytes))
        page = await super().after(key, cursor, limit_bytes)
        if key in self.pruned:
            self.prune(key, self.pruned.pop(key))
        return page

    def prune(self, key: str, last: Cursor) -> None:
        """Remove what came up to ``last``, as the retention of a stored journal does."""
        frames = self._frames[key]
        self._frames[key] = [each for each in frames if (each[0], each[2].last) > last]
        self._places[key] = msgspec.structs.replace(self._places[key], floor=last)


class World(KnownAccounts):
    """Accounts that speak, and replays to readers that were away."""

    def __init__(self, limit: int = 1000, limit_bytes: int = 1 << 20) -> None:
        self.read = ReadJournal()
        super().__init__(rings=Rings(limit, limit_bytes), journal=self.read)
        self.replays = Replays(self.rings, self.intake, self.positions)
        self.made: list[Replay] = []
        self.last: defaultdict[str, int] = defaultdict(int)
        self.subscribed: list[Reader] = []

    async def say(self, key: str, size: int = 10, count: int = 1) -> None:
        """Have an account send messages, which are stored if it has a journal, and handed on."""
        first = self.last[key] + 1
        self.last[key] += count
        payloads = [payload(key, first + each, text="x" * size) for each in range(count)]
        if self.intake.is_on(key):
            record = arrived(first, *(f"m{first + each}" for each in range(count)), key=key)
            await self.store(msgspec.structs.replace(record, payloads=payloads))
        self.rings.extend(key, 1, first, payloads)
        for reader in self.subscribed:
            for each in payloads:
                reader.send_framed(event_frame(MESSAGE, each))

    def replay(self, reader: Reader, **after: Cursor) -> asyncio.Future[None]:
        """Begin a replay; it is over when the reader is subscribed."""
        asked = {f"irc:{name}": cursor for name, cursor in after.items()}
        made = self.replays.of(cast(ClientView, reader), EVENTS, asked)
        self.made.append(made)
        return asyncio.ensure_future(made.run(lambda: self.subscribed.append(reader)))


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def of_size(size: int, seq: int = 1, key: str = KEY) -> bytes:
    """Return the payload of a message whose event has ``size`` bytes as a frame."""
    least = len(event_frame(MESSAGE, payload(key, seq, text="")))
    return payload(key, seq, text="x" * (size - least))


@pytest.mark.parametrize("journal", ["on", "off"])
async def test_a_slow_client_has_one_piece_unread_and_gets_everything_before_what_is_new(
    journal: str,
) -> None:
    world, reader = World(), Reader(kernel=1000)
    world.configure(KEY, journal=journal)
    await world.say(KEY, 500, 900)
    replay = world.replay(reader, libera=(1, 0))
    while not replay.done():
        assert not reader.paused
        reader.read(7000)
        if world.last[KEY] < 1000 and (world.last[KEY] < 950 or len(reader.turns) > 20):
            await world.say(KEY)
        await asyncio.sleep(0.01)
    replay.result()
    await world.say(KEY)
    assert reader.cursors() == [f"1:{seq}" for seq in range(1, world.last[KEY] + 1)]
    assert reader.gaps() == []
    assert reader.most <= UNREAD_BYTES
    assert asyncio.get_running_loop().time() > 0.5, "it was waited for"


async def test_a_client_that_is_behind_with_something_else_is_sent_no_more() -> None:
    world, reader = World(), Reader()
    world.configure(KEY)
    await world.say(KEY)
    reader.send_framed(event_frame(MESSAGE, payload("irc:third", 1, text="x" * HIGH)))
    reader.write_out()
    replay = world.replay(reader, libera=(1, 0))
    reader.read(HIGH - HIGH // 4 - 1000)
    await asyncio.sleep(1)
    assert reader.paused
    assert reader.cursors() == []
    reader.read(HIGH)
    await replay
    assert reader.cursors() == ["1:1"]


async def test_an_event_longer_than_a_piece_comes_alone() -> None:
    world, reader = World(limit_bytes=4 * LONG), Reader()
    world.configure(KEY)
    for size in (10, LONG, LONG, 10):
        await world.say(KEY, size)
    replay = world.replay(reader, libera=(1, 0))
    while not replay.done():
        await asyncio.sleep(0.01)
        reader.read(400_000)
    assert len(reader.cursors()) == 4
    assert LONG < reader.most < LONG + UNREAD_BYTES


@pytest.mark.parametrize("journal", ["on", "off"])
async def test_a_client_that_reads_nothing_is_closed_and_holds_up_no_other(journal: str) -> None:
    world = World()
    world.configure(KEY, journal=journal)
    await world.say(KEY, 1000, 500)
    deaf, slow, fast = Reader(), Reader(), Reader(kernel=LONG)
    waiting = [world.replay(each, libera=(1, 0)) for each in (deaf, slow, fast)]
    loop = asyncio.get_running_loop()
    await waiting[2]
    assert loop.time() < 1
    while not waiting[0].done():
        assert not deaf.cut
        await asyncio.sleep(READ_SECONDS / 4)
        slow.read(100)
    assert READ_SECONDS <= loop.time() < READ_SECONDS * 1.5
    assert deaf.cut
    assert not slow.cut
    with pytest.raises(PeerGone):
        waiting[0].result()
    assert world.subscribed == [fast]
    slow.open = False
    with pytest.raises(PeerGone):
        await waiting[1]
    assert not slow.cut


async def test_replays_take_turns_of_a_bounded_size() -> None:
    world = World()
    world.configure(KEY)
    await world.say(KEY, 1000, 800)
    readers = [Reader(kernel=LONG * 10) for _ in range(3)]
    sums: list[int] = []
    waiting = [world.replay(each, libera=(1, 0)) for each in readers]
    before = 0
    while not all(each.done() for each in waiting):
        await asyncio.sleep(0)
        now = sum(sum(each.turns) for each in readers)
        sums.append(now - before)
        before = now
    assert max(sums) <= TURN_BYTES + UNREAD_BYTES
    assert [len(each.cursors()) for each in readers] == [800] * 3


async def test_what_memory_loses_during_a_replay_is_told_or_comes_from_the_journal() -> None:
    world, reader = World(limit=10), Reader()
    world.configure(KEY, journal="off")
    world.configure(OTHER, journal="on")
    for key in (KEY, OTHER):
        await world.say(key, UNREAD_BYTES // 2, 10)
    replay = world.replay(reader, libera=(1, 0), oftc=(1, 0))
    await turns()
    for key in (KEY, OTHER):
        await world.say(key, 10, 15)  # more than the ring keeps
    while not replay.done():
        reader.read(LONG)
        await asyncio.sleep(0.01)
    told = [int(each.partition(":")[2]) for each in reader.cursors(KEY)]
    got = [each for each in told if each <= 10]
    assert 0 < len(got) < 10, "the test is to fall behind in between"
    assert told == [*range(1, len(got) + 1), *range(16, 26)]
    gap = {"account": KEY, "after": f"1:{len(got)}", "oldest": "1:16"}
    assert reader.gaps() == [gap]
    assert reader.cursors(OTHER) == [f"1:{seq}" for seq in range(1, 26)]


async def test_a_gap_is_told_once_also_where_nothing_is_known() -> None:
    world, reader = World(), Reader()
    world.configure(KEY)
    world.configure(OTHER)
    await world.say(OTHER, 10_000, 10)
    replay = world.replay(reader, libera=(1, 3), oftc=(1, 0))
    while not replay.done():
        await asyncio.sleep(0.01)
        reader.read(5000)
    assert reader.gaps() == [{"account": KEY, "after": "1:3"}]


async def test_a_gap_is_told_once_while_the_client_has_no_room() -> None:
    world, reader = World(limit=10), Reader()
    for key in (KEY, OTHER):
        world.configure(key)
    await world.say(OTHER, UNREAD_BYTES - 1000)
    await world.say(KEY, 10, 15)
    replay = world.replay(reader, oftc=(1, 0), libera=(1, 0))
    while not replay.done():
        await asyncio.sleep(0.01)
        reader.read(3000)
    assert reader.gaps() == [{"account": KEY, "after": "1:0", "oldest": "1:6"}]
    assert reader.cursors() == [f"1:{seq}" for seq in range(6, 16)]


async def test_what_is_new_after_the_position_of_an_older_copy_is_replayed() -> None:
    """The journal was replaced by one that has less than the client; it grows meanwhile."""
    world, reader = World(), Reader()
    for key in (KEY, OTHER):
        world.configure(key, journal="on")
        await world.say(key)
    await world.say(OTHER, 10_000, 10)
    replay = world.replay(reader, oftc=(1, 0), libera=(1, 5))
    await turns()
    await world.say(KEY, 10, 2)
    while not replay.done():
        await asyncio.sleep(0.01)
        reader.read(5000)
    assert reader.cursors() == ["1:2", "1:3"]
    assert reader.gaps() == [{"account": KEY, "after": "1:5"}]


@pytest.mark.parametrize(
    ("unread", "paused", "sent"),
    [
        (UNREAD_BYTES // 2, False, UNREAD_BYTES // 2),  # what has room beside it
        (UNREAD_BYTES // 2 + 1, False, 0),
        (UNREAD_BYTES // 2, True, 0),
        (HIGH // 4, True, 0),
    ],
)
async def test_a_client_is_sent_a_piece_where_it_has_room_for_half_of_one(
    unread: int, paused: bool, sent: int
) -> None:
    world, reader = World(), Reader()
    world.configure(KEY)
    world.rings.extend(KEY, 1, 1, [of_size(2048, seq) for seq in range(1, 31)])
    reader.send_framed(event_frame(MESSAGE, of_size(unread, key="irc:third")))
    reader.write_out()
    reader.paused = paused
    replay = world.replay(reader, libera=(1, 0))
    await turns()
    assert reader.buffered_bytes == unread + sent
    while not replay.done():
        reader.read(LONG)
        await asyncio.sleep(0.01)
    assert len(reader.cursors()) == world.made[0].sent == 30


@pytest.mark.parametrize(("short", "pieces"), [(0, 8), (1, 9)])
async def test_a_turn_ends_with_the_byte_that_is_its_last(short: int, pieces: int) -> None:
    """Pieces of exactly the size that may be unread: one more is sent where a byte is left."""
    assert pieces * UNREAD_BYTES == TURN_BYTES + short * UNREAD_BYTES
    world, reader = World(), Reader(kernel=LONG)
    world.configure(KEY)
    sizes = [2048 - short, *[2048] * 199]
    world.rings.extend(KEY, 1, 1, [of_size(size, seq) for seq, size in enumerate(sizes, 1)])
    replay = world.replay(reader, libera=(1, 0))
    await asyncio.sleep(0)
    reader.write_out()
    assert reader.turns == [UNREAD_BYTES - short] + [UNREAD_BYTES] * (pieces - 1)
    await replay
    assert reader.cursors() == [f"1:{seq}" for seq in range(1, 201)]


@pytest.mark.parametrize("journal", ["on", "off"])
async def test_a_client_that_reads_at_once_waits_for_nothing(journal: str) -> None:
    world, reader = World(limit=1000 if journal == "off" else 1), Reader(kernel=LONG)
    world.configure(KEY, journal=journal)
    for _ in range(40):
        await world.say(KEY, UNREAD_BYTES // 2)
    began = asyncio.get_running_loop().time()
    await world.replay(reader, libera=(1, 0))
    assert asyncio.get_running_loop().time() == began
    assert len(reader.cursors()) == world.made[0].sent == 40


class Observed(Reader):
    """A client that records when it is looked at."""

    def __init__(self) -> None:
        self.at: list[float] = []
        super().__init__()

    @property
    def buffered_bytes(self) -> int:
        now = round(asyncio.get_running_loop().time(), 3)
        if now not in self.at:
            self.at.append(now)
        return super().buffered_bytes


async def test_a_client_that_reads_late_is_looked_at_more_and_more_rarely() -> None:
    await asyncio.sleep(100)  # a gateway is seldom new
    world, reader = World(), Observed()
    world.configure(KEY)
    await world.say(KEY)
    reader.send_framed(event_frame(MESSAGE, of_size(UNREAD_BYTES, key="irc:third")))
    reader.write_out()
    replay = world.replay(reader, libera=(1, 0))
    await asyncio.sleep(0.3)
    looked = [round(each - 100, 3) for each in reader.at]
    assert looked == [0.0, 0.005, 0.015, 0.035, 0.075, 0.155, 0.255]
    assert not reader.cut
    reader.read(LONG)
    await replay
    assert reader.cursors() == ["1:1"]


async def test_a_replay_to_a_client_that_has_gone_ends_with_that() -> None:
    world, reader = World(), Reader()
    world.configure(KEY)
    await world.say(KEY)
    reader.open = False
    with pytest.raises(PeerGone) as gone:
        await world.replay(reader, libera=(1, 0))
    assert (str(gone.value), gone.value.maybe_executed) == ("the client is gone", False)
    assert world.subscribed == []


@pytest.mark.parametrize(
    ("after", "reads"),
    [((1, 5), 0), ((1, 4), 1), ((1, 15), 0)],
)
async def test_what_memory_has_is_not_read_from_the_journal(after: Cursor, reads: int) -> None:
    world, reader = World(limit=10), Reader(kernel=LONG)
    world.configure(KEY, journal="on")
    await world.say(KEY, 10, 15)
    await world.replay(reader, libera=after)
    assert world.read.reads == [(after, READ_BYTES)] * reads
    assert reader.cursors() == [f"1:{seq}" for seq in range(after[1] + 1, 16)]


@pytest.mark.parametrize("after", [(1, 0), (1, 2), (1, 3)])
async def test_a_new_gateway_replays_from_the_journal_alone(after: Cursor) -> None:
    world, reader = World(), Reader(kernel=LONG)
    world.configure(KEY, journal="on")
    for _ in range(3):
        await world.say(KEY)
    world.rings.remove(KEY)
    await world.replay(reader, libera=after)
    assert reader.cursors() == [f"1:{seq}" for seq in range(after[1] + 1, 4)]
    assert (reader.gaps(), world.made[0].gaps, len(world.read.reads)) == ([], [], 1)


@pytest.mark.parametrize(
    ("before", "meanwhile", "gap", "missed"),
    [
        (None, None, None, []),
        ((1, 3), None, ("1:0", "1:4"), [1, 2, 3]),
        (None, (1, 4), None, []),  # what was sent already
        (None, (1, 8), None, []),
        (None, (1, 9), ("1:8", "1:10"), [9]),
        (None, (1, 12), ("1:8", "1:13"), [9, 10, 11, 12]),
        (None, (1, 20), ("1:8", None), [*range(9, 21)]),
    ],
)
async def test_what_the_journal_has_lost_is_told_once(
    before: Cursor | None, meanwhile: Cursor | None, gap: Any, missed: list[int]
) -> None:
    world, reader = World(limit=1), Reader(kernel=LONG)
    world.configure(KEY, journal="on")
    for _ in range(20):
        await world.say(KEY, UNREAD_BYTES // 2)
    if before is not None:
        world.read.prune(KEY, before)
    if meanwhile is not None:
        world.read.pruned[KEY] = meanwhile
    await world.replay(reader, libera=(1, 0))
    told = {} if gap is None else {"account": KEY, "after": gap[0]}
    told |= {"oldest": gap[1]} if gap is not None and gap[1] is not None else {}
    assert reader.gaps() == ([told] if told else [])
    assert world.made[0].gaps == ([KEY] if told else [])
    assert reader.cursors() == [f"1:{seq}" for seq in range(1, 21) if seq not in missed]
    assert len(world.read.reads) > 1


async def test_a_position_beyond_a_journal_that_is_not_whole_is_told_once() -> None:
    world, reader = World(), Reader()
    world.configure(KEY, journal="on")
    await world.say(KEY)
    await world.store(Left(KEY))
    world.rings.remove(KEY)
    await world.replay(reader, libera=(1, 5))
    assert reader.gaps() == [{"account": KEY, "after": "1:5"}]


@pytest.mark.parametrize(
    ("phase", "said", "after", "gap"),
    [
        ("running", 5, (0, 0), None),  # nothing was before it
        ("running", 5, (1, 2), None),
        ("running", 15, (0, 0), {"after": "0:0", "oldest": "1:6"}),
        ("running", 15, (1, 4), {"after": "1:4", "oldest": "1:6"}),
        ("running", 15, (1, 5), None),
        ("running", 0, (0, 0), None),
        ("running", 0, (5, 0), {"after": "5:0"}),  # it has not said where it is
        ("starting", 0, (5, 0), None),
        ("starting", 0, (4, 7), {"after": "4:7"}),
        ("stopped", 0, (6, 0), None),
        ("stopped", 0, (5, 0), {"after": "5:0"}),
    ],
)
async def test_what_memory_does_not_have_is_a_gap(
    phase: str, said: int, after: Cursor, gap: dict[str, str] | None
) -> None:
    world, reader = World(limit=10), Reader()
    world.configure(KEY, phase, 5)
    if said:
        await world.say(KEY, 10, said)
    await world.replay(reader, libera=after)
    assert reader.gaps() == ([] if gap is None else [{"account": KEY} | gap])
    assert world.made[0].gaps == ([] if gap is None else [KEY])
    first = max(said - 10, after[1] if after[0] == 1 else 0)
    assert reader.cursors() == [f"1:{seq}" for seq in range(first + 1, said + 1)]


@pytest.mark.parametrize("kernel", [0, LONG])
async def test_many_gaps_are_sent_as_a_client_reads(kernel: int) -> None:
    world, reader = World(), Reader(kernel)
    keys = {f"a{number}": (1, 1) for number in range(4000)}
    replay = world.replay(reader, **keys)
    await asyncio.sleep(0)
    reader.write_out()
    assert 0 < sum(reader.turns) <= TURN_BYTES
    while not replay.done():
        assert reader.buffered_bytes <= UNREAD_BYTES
        reader.read(20_000)
        await asyncio.sleep(0.01)
    assert [each["account"] for each in reader.gaps()] == [f"irc:{name}" for name in keys]


async def test_subscriptions_of_one_client_wait_for_each_other() -> None:
    world, one, two = World(), cast(ClientView, Reader()), cast(ClientView, Reader())
    assert world.replays.in_order(one) is world.replays.in_order(one)
    assert world.replays.in_order(one) is not world.replays.in_order(two)


@pytest.mark.parametrize("seed", range(60))
async def test_order_and_gaps_hold_however_clients_read_and_accounts_speak(seed: int) -> None:
    chance = random.Random(seed)
    world = World(limit=chance.choice([5, 20, 1000]), limit_bytes=chance.choice([40_000, 1 << 20]))
    keys = {"libera": KEY, "oftc": OTHER}
    for key in keys.values():
        world.configure(key, journal=chance.choice(["on", "off"]))
        await world.say(key, 10, chance.randrange(1, 4))

    async def speak() -> None:
        key = chance.choice([*keys.values()])
        await world.say(key, chance.choice([1, 100, 9000]), chance.randrange(1, 9))

    for _ in range(chance.randrange(30)):
        await speak()
    begin = {name: (1, chance.randrange(world.last[key] + 1)) for name, key in keys.items()}
    reader = Reader(chance.choice([0, 10_000, LONG]))
    replay = world.replay(reader, **begin)
    steps = chance.randrange(80)
    for _ in range(steps):
        if chance.random() < 0.3:
            await speak()
        reader.read(chance.choice([0, 500, 20_000]))
        await (turns() if chance.random() < 0.7 else asyncio.sleep(LONGEST_PAUSE))
    while not replay.done():
        reader.read(20_000)
        await asyncio.sleep(0.01)
    replay.result()
    await speak()
    seen = Cursors()
    seen.on_subscribed({keys[name]: f"{at[0]}:{at[1]}" for name, at in begin.items()}, {})
    for name, body in reader.events():
        if name == GAP:
            told = msgspec.json.decode(body)
            assert not world.intake.is_on(told["account"])
            assert told["after"] == seen.params()[told["account"]]
            seen.on_gap(body)
        else:
            assert seen.apply(body) == (True, None)
    assert seen.params() == {key: f"1:{world.last[key]}" for key in keys.values()}
