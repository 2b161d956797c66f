"""Turns: each event once and in order, each turn one end, whatever is lost, late or twice."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from ipc.frames.data import TurnAck, TurnBegin, TurnCancel, TurnEnded, TurnEvents, TurnTaken
from runtime.gateway.runs import turn_table
from runtime.gateway.runs.turn_table import (
    CANCEL_MS,
    GRACE_MS,
    HandDeath,
    HandEnd,
    HandEvents,
    HandSent,
    OpenTurn,
    SendDown,
    TurnAction,
    TurnTable,
)
from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, TurnEvent, TurnOutcome

A = "agent:a"
DEADLINE = 100_000
NOW = 1_000
encode = msgspec.json.encode
FINAL = TurnOutcome("final", Final("ab"))


def opened(run: str = "r", agent: str = A, **more: Any) -> OpenTurn:
    return OpenTurn(f"1:{run}", run, agent, b"{}", **({"deadline": DEADLINE} | more))


def events(first: int, *found: TurnEvent, turn: str = "1:r") -> TurnEvents:
    return TurnEvents(turn, first, [encode(each) for each in found])


def ended(seq: int, outcome: TurnOutcome = FINAL, turn: str = "1:r") -> TurnEnded:
    return TurnEnded(turn, seq, encode(outcome))


def frames(actions: list[TurnAction]) -> list[Any]:
    return [each.frame for each in actions if isinstance(each, SendDown)]


def handed(actions: list[TurnAction]) -> list[TurnAction]:
    return [each for each in actions if not isinstance(each, SendDown)]


def begun(**more: Any) -> tuple[TurnTable, OpenTurn]:
    """Return a table whose agent, incarnation 5, has the turn."""
    table = TurnTable()
    table.on_welcome(A, 5)
    turn = opened(**more)
    table.add(turn)
    return table, turn


def test_a_turn_goes_to_the_agent_that_is_there() -> None:
    table = TurnTable()
    assert table.on_welcome(A, 5) == []
    turn = opened()
    assert table.add(turn) == [HandSent(turn, 5), SendDown(A, 5, TurnBegin("1:r", b"{}", 0))]
    assert table.incarnation_of(A) == 5


def test_a_turn_waits_for_its_agent_and_goes_to_no_other() -> None:
    table = TurnTable()
    assert table.add(opened()) == []
    assert table.on_welcome("agent:b", 3) == []
    assert table.receive("agent:b", 3, ended(1)) == []
    assert frames(table.on_welcome(A, 5)) == [TurnBegin("1:r", b"{}", 0)]


def test_an_agent_says_nothing_of_another_s_turn() -> None:
    table, turn = begun()
    table.on_welcome("agent:b", 5)
    assert table.receive("agent:b", 5, events(1, Delta("forged"))) == []
    assert table.receive("agent:b", 5, ended(1)) == []
    assert (turn.got, turn.taken, table.dropped["unknown"]) == (0, False, 2)
    assert table.on_agent_end("agent:b", 5) == []


def test_a_run_has_one_turn_at_a_time() -> None:
    table, _ = begun()
    with pytest.raises(ValueError, match="the run r has a turn already"):
        table.add(opened())


def test_what_was_not_taken_is_sent_again_after_each_welcome() -> None:
    table, _ = begun()
    assert frames(table.on_welcome(A, 5)) == [TurnBegin("1:r", b"{}", 0)]
    assert table.receive(A, 5, TurnTaken("1:r", 0)) == []
    assert table.on_welcome(A, 5) == []


def test_a_turn_that_was_taken_keeps_no_payload() -> None:
    table, turn = begun()
    table.receive(A, 5, TurnTaken("1:r", 0))
    assert turn.payload == b""


def test_events_are_handed_on_once_in_order_and_the_end_follows() -> None:
    table, turn = begun()
    a, b = Delta("a"), Delta("b")
    assert table.receive(A, 5, events(1, a)) == [HandEvents(turn, [a], 1)]
    assert table.receive(A, 5, events(1, a, b)) == [HandEvents(turn, [b], 2)]
    assert table.receive(A, 5, events(1, a, b)) == []
    assert table.receive(A, 5, events(4, a)) == []
    assert table.receive(A, 5, ended(4)) == []
    assert table.receive(A, 5, ended(3)) == [HandEnd(turn, FINAL, 3)]
    assert table.receive(A, 5, ended(3)) == []
    assert table.receive(A, 5, events(3, a)) == [], "not after the end"
    assert table.dropped == {"gap": 2, "malformed": 0, "repeated": 5, "stale": 0, "unknown": 0}


def test_the_acknowledgement_of_the_end_closes_it() -> None:
    table, _ = begun()
    table.receive(A, 5, events(1, Delta("a")))
    assert frames(table.acknowledge("r", 1)) == [TurnAck("1:r", 1)]
    assert table.acknowledge("r", 1) == []
    table.receive(A, 5, ended(2))
    assert frames(table.acknowledge("r", 2)) == [TurnAck("1:r", 2)]
    assert table.by_run == {}
    assert table.acknowledge("r", 2) == []
    assert table.on_agent_end(A, 5) == []
    assert frames(table.receive(A, 5, ended(2))) == [TurnAck("1:r", 2)], "the first one was lost"


def test_no_more_is_acknowledged_than_has_come() -> None:
    table, turn = begun()
    table.receive(A, 5, events(1, Delta("a")))
    assert frames(table.acknowledge("r", 9)) == [TurnAck("1:r", 1)]
    assert turn.stored == 1
    assert table.acknowledge("unknown", 1) == []


def test_what_is_stored_of_an_earlier_attempt_acknowledges_nothing_of_the_next() -> None:
    table, turn = begun(attempt=2)
    table.receive(A, 5, events(1, Delta("a"), Delta("b")))
    assert table.acknowledge("r", 2, 1) == []
    assert frames(table.acknowledge("r", 1, 2)) == [TurnAck("1:r", 1)]
    assert turn.stored == 1


def test_an_acknowledgement_that_was_lost_goes_out_again() -> None:
    table, _ = begun()
    table.receive(A, 5, events(1, Delta("a"), Delta("b")))
    table.acknowledge("r", 1)
    assert frames(table.receive(A, 5, events(1, Delta("a")))) == [TurnAck("1:r", 1)]
    assert frames(table.receive(A, 5, events(2, Delta("b")))) == [], "that is not stored yet"


@pytest.mark.parametrize(
    ("found", "acknowledged", "seen"),
    [
        ([], 0, False),
        ([Notice("n"), ToolResult("1")], 2, False),
        ([Delta("a")], 0, False),
        ([Delta("a")], 1, True),
        ([ToolCall("1", "t")], 1, True),
        ([Notice("n"), Delta("a")], 1, False),
        ([Delta("a"), Delta("b")], 1, True),
        ([Notice("n"), Delta("a"), Notice("n")], 2, True),
    ],
)
def test_a_turn_dies_with_its_agent_seen_once_a_delta_or_tool_call_was_acknowledged(
    found: list[TurnEvent], acknowledged: int, seen: bool
) -> None:
    table, turn = begun()
    if found:
        table.receive(A, 5, events(1, *found))
    table.acknowledge("r", acknowledged)
    assert table.on_agent_end(A, 4) == []
    assert table.on_agent_end(A, 5) == [HandDeath(turn, seen)]
    assert table.on_agent_end(A, 5) == []
    assert (table.by_run, table.incarnation_of(A)) == ({}, 0)


def test_another_incarnation_means_that_the_one_before_has_died() -> None:
    table, turn = begun()
    assert table.on_welcome(A, 6) == [HandDeath(turn, False)]
    assert table.on_welcome(A, 5) == [], "an old one that says hello once more"
    assert table.incarnation_of(A) == 6
    again = opened()
    assert table.add(again)[0] == HandSent(again, 6)
    assert table.receive(A, 5, events(1, Delta("late"))) == []
    assert table.dropped["stale"] == 1


def test_a_turn_whose_end_was_handed_on_does_not_die() -> None:
    table, _ = begun()
    table.receive(A, 5, ended(1))
    assert table.on_agent_end(A, 5) == []
    assert table.by_run == {}


def test_a_new_gateway_goes_on_with_what_the_same_incarnation_has() -> None:
    table, turn = TurnTable(), opened(incarnation=5, got=3, stored=3, seen=True)
    assert table.add(turn) == []
    assert frames(table.on_welcome(A, 5)) == [TurnBegin("1:r", b"{}", 3), TurnAck("1:r", 3)]
    assert table.receive(A, 5, events(2, Delta("old"), Delta("old"), Delta("new"))) == [
        HandEvents(turn, [Delta("new")], 4)
    ]
    assert table.on_agent_end(A, 5) == [HandDeath(turn, True)]


def test_what_an_earlier_gateway_has_seen_stays_seen() -> None:
    table, turn = TurnTable(), opened(incarnation=5, got=3, stored=3, seen=True)
    table.add(turn)
    table.on_welcome(A, 5)
    table.receive(A, 5, events(4, Notice("n")))
    table.acknowledge("r", 4)
    assert table.on_agent_end(A, 5) == [HandDeath(turn, True)]


def test_a_new_gateway_learns_that_the_incarnation_has_died() -> None:
    table, turn = TurnTable(), opened(incarnation=5)
    table.on_welcome(A, 6)
    assert table.add(turn) == [HandDeath(turn, False)]


def test_an_incarnation_that_is_older_than_the_one_that_has_it_is_waited_out() -> None:
    table, turn = TurnTable(), opened(incarnation=6)
    table.on_welcome(A, 5)
    assert table.add(turn) == []
    assert frames(table.on_welcome(A, 6)) == [TurnBegin("1:r", b"{}", 0)]


def test_what_an_earlier_gateway_has_stored_beyond_what_we_know_is_passed_over() -> None:
    table, turn = TurnTable(), opened(incarnation=5, got=1, stored=1)
    table.add(turn)
    table.on_welcome(A, 5)
    table.receive(A, 5, TurnTaken("1:r", 3))
    assert table.receive(A, 5, events(4, Delta("d"))) == [HandEvents(turn, [Delta("d")], 4)]
    assert table.on_agent_end(A, 5) == [HandDeath(turn, True)], "some of it may have been shown"


def test_a_cancellation_goes_to_the_agent_until_the_turn_has_ended() -> None:
    table, turn = begun()
    assert frames(table.cancel("r", NOW)) == [TurnCancel("1:r")]
    assert table.cancel("r", NOW) == []
    assert frames(table.on_welcome(A, 5)) == [TurnBegin("1:r", b"{}", 0), TurnCancel("1:r")]
    aborted = TurnOutcome("aborted")
    assert table.receive(A, 5, ended(1, aborted)) == [HandEnd(turn, aborted, 1)]
    assert table.cancel("r", NOW) == []
    assert table.expire(NOW + CANCEL_MS) == []
    assert table.cancel("unknown", NOW) == []


def test_a_turn_that_no_agent_has_is_cancelled_at_once() -> None:
    table, turn = TurnTable(), opened()
    table.add(turn)
    assert table.cancel("r", NOW) == [HandEnd(turn, TurnOutcome("aborted"), 0)]
    assert table.on_welcome(A, 5) == []


def test_an_agent_that_does_not_end_what_is_cancelled_is_not_waited_for() -> None:
    table, turn = begun()
    table.cancel("r", NOW)
    assert table.expire(NOW + CANCEL_MS - 1) == []
    actions = table.expire(NOW + CANCEL_MS)
    assert handed(actions) == [HandEnd(turn, TurnOutcome("aborted"), 0)]
    assert frames(actions) == [TurnCancel("1:r")]
    assert frames(table.receive(A, 5, events(1, Delta("late")))) == [TurnCancel("1:r")]
    assert frames(table.receive(A, 5, ended(2))) == [TurnAck("1:r", 2)]


def test_what_comes_after_the_end_changes_nothing() -> None:
    table, turn = begun()
    table.receive(A, 5, events(1, Delta("a")))
    assert table.receive(A, 5, ended(1)) == []
    assert table.dropped["repeated"] == 1
    table.cancel("r", NOW)
    table.receive(A, 5, ended(2))
    assert table.receive(A, 5, events(3, Delta("late"))) == []
    assert table.receive(A, 5, ended(3)) == []
    assert table.on_welcome(A, 5) == []
    assert turn.got == 2
    table, turn = begun()
    table.receive(A, 5, ended(1))
    assert table.cancel("r", NOW) == []


def test_a_deadline_does_not_shorten_the_time_for_a_cancellation() -> None:
    table, _ = begun()
    table.cancel("r", DEADLINE - 1)
    assert table.expire(DEADLINE) == []


def test_a_cancelled_turn_that_dies_was_cancelled() -> None:
    table, turn = begun()
    table.cancel("r", NOW)
    assert table.on_agent_end(A, 5) == [HandEnd(turn, TurnOutcome("aborted"), 0)]


def test_a_turn_that_no_agent_takes_is_over_at_its_deadline() -> None:
    table, turn = TurnTable(), opened()
    table.add(turn)
    assert table.next_due() == DEADLINE
    assert table.expire(DEADLINE - 1) == []
    assert table.expire(DEADLINE) == [HandEnd(turn, TurnOutcome("timeout"), 0)]
    assert table.next_due() is None


def test_an_agent_that_has_the_turn_has_a_little_longer_to_end_it_itself() -> None:
    table, turn = begun()
    assert table.expire(DEADLINE) == []
    assert table.next_due() == DEADLINE + GRACE_MS
    actions = table.expire(DEADLINE + GRACE_MS)
    assert handed(actions) == [HandEnd(turn, TurnOutcome("timeout"), 0)]
    assert frames(actions) == [TurnCancel("1:r")]


def test_deadlines_move_with_a_clock_that_is_set() -> None:
    table, _ = begun()
    table.add(opened("late", deadline=DEADLINE + 5))
    table.move(-50_000)
    assert table.next_due() == DEADLINE - 50_000
    assert handed(table.expire(DEADLINE - 50_000 + GRACE_MS - 1)) == []
    assert len(handed(table.expire(DEADLINE - 50_000 + GRACE_MS))) == 1
    table.cancel("late", NOW)
    table.move(10_000)
    assert handed(table.expire(NOW + CANCEL_MS + 9_999)) == []
    assert len(handed(table.expire(NOW + CANCEL_MS + 10_000))) == 1


def test_a_turn_that_has_ended_is_not_given_up() -> None:
    table, _ = begun()
    table.receive(A, 5, ended(1))
    assert table.expire(DEADLINE + GRACE_MS) == []
    assert "r" in table.by_run


DEEP = b'{"type":"toolCall","id":"1","name":"n","arguments":' + b'{"a":' * 99 + b"1" + b"}" * 100


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b'{"type":"odd"}', b"[" * 9999, DEEP])
def test_a_malformed_event_is_counted_and_the_turn_goes_on(payload: bytes) -> None:
    table, turn = begun()
    frame = TurnEvents("1:r", 1, [payload, encode(Delta("b"))])
    assert table.receive(A, 5, frame) == [HandEvents(turn, [Delta("b")], 2)]
    assert table.dropped["malformed"] == 1
    assert turn.shown == 2


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff", b"[" * 9999])
def test_a_malformed_end_is_an_end(payload: bytes) -> None:
    table, _ = begun()
    (action,) = table.receive(A, 5, TurnEnded("1:r", 1, payload))
    assert isinstance(action, HandEnd)
    assert (action.outcome.state, action.outcome.kind, action.seq) == ("error", "failed", 1)
    assert action.outcome.error.startswith("a malformed end: ")


def test_a_turn_of_an_earlier_gateway_is_forgotten_once_all_that_go_on_are_known() -> None:
    table = TurnTable()
    table.on_welcome(A, 5)
    assert table.receive(A, 5, events(1, Delta("a"))) == []
    assert table.receive(A, 5, ended(2)) == []
    table.complete_with([])
    assert frames(table.receive(A, 5, events(1, Delta("a")))) == [TurnCancel("1:r")]
    assert frames(table.receive(A, 5, ended(2))) == [TurnAck("1:r", 2)]


def test_a_turn_that_is_awaited_is_not_cancelled_before_it_is_begun() -> None:
    """An earlier gateway has sent it, and was killed before that was stored."""
    table = TurnTable()
    table.on_welcome(A, 5)
    table.complete_with(["1:r", "1:late", "1:ended"])
    for frame in (events(1, Delta("a")), events(1, Delta("a"), turn="1:late")):
        assert table.receive(A, 5, frame) == []
    assert table.receive(A, 5, ended(1, turn="1:ended")) == []
    assert frames(table.add(opened())) == [TurnBegin("1:r", b"{}", 0)]
    assert frames(table.release("1:late")) == [TurnCancel("1:late")], "it is over"
    assert frames(table.release("1:ended")) == [TurnAck("1:ended", 1)]
    assert table.release("1:ended") == []
    assert frames(table.receive(A, 5, ended(2, turn="1:late"))) == [TurnAck("1:late", 2)]


def test_what_an_agent_sends_after_a_gap_does_not_mean_that_it_knows_where_to_go_on() -> None:
    table, turn = TurnTable(), opened(incarnation=5, got=1, stored=1)
    table.add(turn)
    table.on_welcome(A, 5)
    assert table.receive(A, 5, events(4, Delta("d"))) == []
    assert table.receive(A, 5, ended(5)) == []
    again = [TurnBegin("1:r", b"{}", 1), TurnAck("1:r", 1)]
    assert frames(table.on_welcome(A, 5)) == again, "the first one was lost"
    table.receive(A, 5, TurnTaken("1:r", 3))
    assert table.receive(A, 5, events(4, Delta("d"))) == [HandEvents(turn, [Delta("d")], 4)]


def test_what_is_acknowledged_is_so_again_after_each_welcome() -> None:
    table, _ = begun()
    table.receive(A, 5, events(1, Delta("a"), Delta("b")))
    table.acknowledge("r", 1)
    assert frames(table.on_welcome(A, 5)) == [TurnAck("1:r", 1)]


def test_names_of_turns_that_are_over_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_table, "PAST", 1)
    table = TurnTable()
    for run in ("one", "two"):
        table.add(opened(run))
        table.cancel(run, NOW)
    assert frames(table.receive(A, 5, ended(1, turn="1:one"))) == []
    assert frames(table.receive(A, 5, ended(1, turn="1:two"))) == [TurnAck("1:two", 1)]


STEPS = ["up", "up", "down", "down", "make", "store", "lose", "hello", "die"]


def test_times_of_turns_that_are_over_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_table, "SPARE", 0)
    table = TurnTable()
    table.add(opened("first"))
    for number in range(5):
        table.add(opened(f"r{number}", deadline=DEADLINE - 10 + number))
    assert table.next_due() == DEADLINE - 10
    for number in range(5):
        table.cancel(f"r{number}", NOW)
    assert table.next_due() == DEADLINE
    table.cancel("first", NOW)
    assert table.next_due() is None


class Player:
    """An agent and a caller that keep the rules, over a link that loses, doubles and dies."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.table = TurnTable()
        self.turn = opened()
        self.incarnation = 1
        self.output = [encode(Delta(str(number))) for number in range(self.dice.randint(0, 6))]
        self.made = 0  # of them, by the agent
        self.begun_by: list[int] = []
        self.acked = 0
        self.up: list[Any] = []
        self.down: list[SendDown] = []
        self.got: list[str] = []
        self.ends: list[TurnAction] = []
        self.owed: list[int] = []  # not stored yet

    def do(self, actions: list[TurnAction]) -> None:
        for each in actions:
            if isinstance(each, SendDown):
                self.down.append(each)
            elif isinstance(each, HandEvents):
                self.got += [event.text for event in each.events if isinstance(event, Delta)]
                self.owed.append(each.last)
            elif isinstance(each, HandEnd | HandDeath):
                self.ends.append(each)
                if isinstance(each, HandEnd) and each.seq:
                    self.owed.append(each.seq)

    def agent(self, frame: Any) -> None:
        if isinstance(frame, TurnBegin):
            if self.incarnation not in self.begun_by:
                self.begun_by.append(self.incarnation)
                self.made = self.acked = 0
            self.up.append(TurnTaken("1:r", self.acked))
            self.resend(frame.after)
        elif isinstance(frame, TurnAck):
            self.acked = max(self.acked, frame.seq)

    def resend(self, after: int) -> None:
        if self.incarnation not in self.begun_by:
            return
        first = max(after, self.acked)
        for number in range(first + 1, self.made + 1):
            self.up.append(TurnEvents("1:r", number, [self.output[number - 1]]))
        if self.made == len(self.output) and self.acked <= self.made:
            self.up.append(ended(self.made + 1))

    def step(self) -> None:
        match self.dice.choice(
            ["up", "up", "down", "down", "make", "store", "lose", "hello", "die"]
        ):
            case "up" if self.up:
                self.do(self.table.receive(A, self.incarnation, self.up.pop(0)))
            case "down" if self.down:
                sent = self.down.pop(0)
                if sent.incarnation == self.incarnation:
                    self.agent(sent.frame)
            case "make" if self.incarnation in self.begun_by and self.made < len(self.output):
                self.made += 1
                self.resend(self.made - 1)
            case "store" if self.owed:
                self.do(self.table.acknowledge("r", self.owed.pop(0)))
            case "lose":
                self.up.clear()
                self.down.clear()
                self.resend(0)
                self.do(self.table.on_welcome(A, self.incarnation))
            case "hello":
                self.do(self.table.on_welcome(A, self.incarnation))
            case "die" if self.dice.random() < 0.1:
                self.up.clear()
                self.do(self.table.on_agent_end(A, self.incarnation))
                self.incarnation += 1
                self.do(self.table.on_welcome(A, self.incarnation))


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_lost_a_turn_has_one_end_and_its_events_come_once_in_order(seed: int) -> None:
    player = Player(seed)
    player.do(player.table.on_welcome(A, 1))
    player.do(player.table.add(player.turn))
    for _ in range(4000):
        player.step()
        if player.ends and not player.table.by_run:
            break
    assert len(player.ends) == 1
    assert player.got == [str(number) for number in range(len(player.got))]
    end = player.ends[0]
    if isinstance(end, HandEnd):
        assert len(player.got) == len(player.output)
        assert end.outcome == FINAL
