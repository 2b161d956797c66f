"""What a new gateway can replay of the time before it: workers give it what they have kept."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.frames.data import HISTORY, Ack, DataHello, Messages, Welcome
from ipc.identity.peer import PeerProof
from runtime.gateway.accounts.ring import Rings
from tests.runtime.gateway.accounts.test_messages import acked, cursors, take
from tests.support.gateway_rig import SECRET, GatewayRig, Worker, gateway_rig, payload, single
from workers.links.backlog import Backlog

KEY = "irc:libera"


def greet(worker: Worker, oldest: int, kept: int) -> None:
    """Say hello as a worker whose messages from ``kept`` to ``oldest`` were acknowledged."""
    proof = PeerProof(SECRET).token(KEY, worker.incarnation)
    worker.send(DataHello(KEY, worker.incarnation, proof, oldest, kept))


def recall(worker: Worker, *seqs: int) -> None:
    for seq in seqs:
        worker.send(single(seq, HISTORY, payload(KEY, seq)))


async def with_past(rig: GatewayRig, oldest: int, kept: int) -> tuple[Worker, Welcome]:
    worker = Worker(rig, KEY)
    rig.opened.append(worker)
    greet(worker, oldest, kept)
    return worker, await worker.next(Welcome)


async def test_a_new_gateway_asks_for_history_and_replays_it_without_handing_it_on() -> None:
    async with gateway_rig() as rig:
        watcher = await rig.watcher()
        worker, welcome = await with_past(rig, oldest=5, kept=2)
        assert (welcome.acked, welcome.wanted) == (4, 2)
        recall(worker, 2, 3, 4)
        worker.say(5)
        await acked(worker, 5)
        assert rig.hub.data_link.messages == 1
        assert cursors(await take(watcher, 1)) == ["1:5"]
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        assert answer["gaps"] == []
        assert cursors(await take(client, 4)) == ["1:2", "1:3", "1:4", "1:5"]


async def test_a_gateway_that_has_all_asks_for_nothing() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.say(1)
        await acked(worker, 1)
        greet(worker, oldest=2, kept=1)
        assert (await worker.next(Welcome)).wanted == 0


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


async def test_history_with_a_hole_is_not_taken() -> None:
    async with gateway_rig() as rig:
        worker, _ = await with_past(rig, oldest=5, kept=2)
        recall(worker, 2, 4)
        client = await rig.client()
        answer = await client.call("events.subscribe", {"cursors": {KEY: "1:1"}})
        assert (answer["replayed"], answer["gaps"]) == (0, [KEY])


async def test_history_is_neither_acknowledged_nor_answered_by_an_agent() -> None:
    async with gateway_rig(agents="echo") as rig:
        worker, _ = await with_past(rig, oldest=3, kept=1)
        recall(worker, 1, 2)
        worker.say(3)
        assert (await worker.next(Ack)).seq == 3
        assert rig.hub.agents.answered == 0


def numbers(pack: Messages) -> range:
    return range(pack.first, pack.last + 1)


class Model:
    """One account and the gateways it lives through; frames are lost only with a link.

    ``handed`` is what clients have ever seen, once per gateway.
    """

    def __init__(self, keep: int, ring: int) -> None:
        self.backlog = Backlog(keep=keep)
        self.ring_size = ring
        self.handed: list[int] = []
        self.restart()

    def restart(self) -> None:
        self.rings = Rings(self.ring_size, 10_000)
        self.seen = 0
        self.fresh = True
        self.hello()

    def hello(self) -> None:
        """The worker says hello and is welcomed; what was in flight is sent again."""
        backlog, ring = self.backlog, self.rings.of(KEY)
        ring.begin(1, backlog.oldest - 1, anew=backlog.oldest - 1 > self.seen)
        self.seen = max(self.seen, backlog.oldest - 1)
        if wanted := ring.lacks(1, backlog.kept):
            packs = backlog.history(wanted, backlog.oldest)
            found = [(seq, b"%d" % seq) for pack in packs for seq in numbers(pack)]
            assert all(seq <= backlog.acked for seq, _ in found)
            self.rings.fill(KEY, 1, found)
        backlog.ack(self.seen)
        backlog.resend(marked=self.fresh)
        self.fresh = False

    def emit(self) -> None:
        self.backlog.append(b'{"x":1}', 1)

    def deliver(self, *, acknowledge: bool) -> None:
        pack = self.backlog.take()
        if pack is not None and pack.last > self.seen:
            fresh = [seq for seq in numbers(pack) if seq > self.seen]
            assert fresh[0] == self.seen + 1
            self.seen = pack.last
            self.handed += fresh
            self.rings.extend(KEY, 1, fresh[0], [b"%d" % seq for seq in fresh])
        if acknowledge:
            self.backlog.ack(self.seen)


STEPS = st.lists(
    st.sampled_from(["emit", "emit", "deliver", "deliver, no ack", "restart", "lost link"]),
    max_size=60,
)


def play(model: Model, step: str) -> None:
    match step:
        case "emit":
            model.emit()
        case "restart":
            model.restart()
        case "lost link":
            model.hello()
        case _:
            model.deliver(acknowledge=step == "deliver")


@settings(max_examples=300, deadline=None)
@given(STEPS, st.sampled_from([0, 60, 10_000]), st.sampled_from([2, 100]))
def test_a_replay_is_exact_or_says_that_it_is_not(steps: list[str], keep: int, ring: int) -> None:
    """Over every history of restarts: what is replayed after any cursor that a client can have
    is what was handed on after it, or the gap is told.
    """
    model = Model(keep, ring)
    for step in steps:
        play(model, step)
        newest = max(model.handed, default=0)
        for cursor in range(newest + 1):
            frames, complete = model.rings.after(KEY, (1, cursor))
            replayed = [int(frame) for frame in frames]
            assert replayed == sorted(set(replayed))
            assert all(seq > cursor for seq in replayed)
            if complete:
                assert replayed == list(range(cursor + 1, model.seen + 1))
            elif replayed:
                assert replayed == list(range(replayed[0], model.seen + 1))


@given(STEPS)
def test_with_room_enough_nothing_that_was_handed_on_is_ever_missing(steps: list[str]) -> None:
    model = Model(10_000, 1_000)
    for step in steps:
        play(model, step)
        for cursor in range(model.seen + 1):
            frames, complete = model.rings.after(KEY, (1, cursor))
            assert complete
            assert [int(frame) for frame in frames] == list(range(cursor + 1, model.seen + 1))


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(0, 500))
def test_what_is_kept_is_bounded_in_order_and_marked(sizes: list[int], keep: int) -> None:
    backlog = Backlog(keep=keep)
    for size in sizes:
        backlog.append(b"x" * size, 1)
        backlog.take()
        backlog.ack(backlog.sent)
    packs = list(backlog.history(1, backlog.oldest))
    found = [seq for pack in packs for seq in numbers(pack)]
    assert sum(len(payload) + 16 for pack in packs for payload in pack.payloads) <= keep
    assert found == list(range(backlog.oldest - len(found), backlog.oldest))
    assert all(flags == 1 | HISTORY for pack in packs for flags in pack.flags)
    assert backlog.kept == (found[0] if found else 0)
