"""What becomes of messages that come while their session has a turn."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.sessions import QueueConfig, QueueMode
from runtime.gateway.conversations.lanes import Lanes
from runtime.gateway.conversations.queue_modes import (
    BECAME,
    Arrival,
    Became,
    QueuedMessage,
    RunOutcome,
    SessionQueue,
    text_of,
)
from workers.messages import MAX_TEXT


def message(run: str, at: int = 0, **more: Any) -> QueuedMessage:
    plain: dict[str, Any] = {"run": run, "text": run.upper(), "at": at, "sender": "ada"}
    return QueuedMessage(**(plain | more))


def settings(mode: QueueMode = "collect", debounce: int = 0, cap: int = 20) -> QueueConfig:
    return QueueConfig(mode=mode, debounce_ms=debounce, cap=cap)


def busy(mode: QueueMode = "collect", **more: Any) -> tuple[SessionQueue, QueueConfig]:
    """Return a queue whose turn of the run ``r0`` runs."""
    queue, config = SessionQueue(), settings(mode, **more)
    queue.add(message("r0"), config)
    batch = queue.begin_next(10_000)
    assert batch is not None
    assert batch.lead == queue.running == "r0"
    return queue, config


def arrive(queue: SessionQueue, config: QueueConfig, *runs: str) -> list[Arrival]:
    return [queue.add(message(run), config) for run in runs]


def took(queue: SessionQueue, now: int = 10_000) -> tuple[str, list[str], str]:
    batch = queue.begin_next(now)
    assert batch is not None
    return batch.lead, [each.run for each in batch.messages], batch.text


def test_a_message_to_an_idle_session_begins_at_once() -> None:
    queue = SessionQueue()
    assert queue.next_due() is None
    assert queue.begin_next(0) is None
    (arrival,) = arrive(queue, settings(), "r1")
    assert arrival == Arrival(True, "collect", outcomes=[])
    assert queue.next_due() == 0
    assert took(queue, 0) == ("r1", ["r1"], "R1")
    assert queue.end() == [RunOutcome("r1", "ended", "r1")]
    assert queue.running is None


def test_collect_makes_one_turn_of_all_that_wait() -> None:
    queue, config = busy()
    assert [each.ahead for each in arrive(queue, config, "r1", "r2", "r3")] == [0, 1, 2]
    assert queue.begin_next(10_000) is None
    assert queue.end() == [RunOutcome("r0", "ended", "r0")]
    assert took(queue) == ("r1", ["r1", "r2", "r3"], "R1\nR2\nR3")
    assert queue.end() == [
        RunOutcome("r1", "ended", "r1"),
        RunOutcome("r2", "collected", "r1"),
        RunOutcome("r3", "collected", "r1"),
    ]


@pytest.mark.parametrize("mode", ["followup", "steer"])
def test_followups_have_a_turn_each_in_order(mode: QueueMode) -> None:
    queue, config = busy(mode)
    for arrival in arrive(queue, config, "r1", "r2"):
        assert (arrival.taken, arrival.mode) == (True, "followup")
    for run in ("r1", "r2"):
        queue.end()
        assert took(queue) == (run, [run], run.upper())


def test_interrupt_ends_the_turn_and_supersedes_what_waits() -> None:
    queue, config = busy("interrupt")
    first, second = arrive(queue, config, "r1", "r2")
    assert (first.interrupts, first.outcomes) == ("r0", [])
    assert (second.interrupts, second.ahead) == ("r0", 0)
    assert second.outcomes == [RunOutcome("r1", "superseded", "r2")]
    assert queue.end(aborted=True) == [RunOutcome("r0", "interrupted", "r2")]
    assert took(queue) == ("r2", ["r2"], "R2")
    assert queue.end(aborted=True) == [RunOutcome("r2", "ended", "r2")]


def test_a_turn_that_has_ended_by_itself_was_not_interrupted() -> None:
    queue, config = busy("interrupt")
    arrive(queue, config, "r1")
    assert queue.end() == [RunOutcome("r0", "ended", "r0")]
    took(queue)
    assert queue.end(aborted=True) == [RunOutcome("r1", "ended", "r1")]


def test_interrupt_in_an_idle_session_interrupts_nothing() -> None:
    queue = SessionQueue()
    (arrival,) = arrive(queue, settings("interrupt"), "r1")
    assert (arrival.interrupts, arrival.outcomes) == (None, [])
    took(queue)
    assert queue.end(aborted=True) == [RunOutcome("r1", "ended", "r1")]


def test_a_message_may_say_how_it_is_to_be_queued() -> None:
    queue, config = busy()
    queue.add(message("r1"), config)
    queue.add(message("r2", mode="followup"), config)
    queue.add(message("r3"), config)
    queue.add(message("r4", mode="collect"), config)
    assert queue.waiting == ["r1", "r2", "r3", "r4"]
    for runs in (["r1"], ["r2"], ["r3", "r4"]):
        queue.end()
        assert took(queue)[1] == runs


@pytest.mark.parametrize("mode", ["collect", "followup"])
def test_a_full_queue_says_so_once_and_tells_each_run(mode: QueueMode) -> None:
    queue, config = busy(mode, cap=2)
    taken, also, first, second = arrive(queue, config, "r1", "r2", "r3", "r4")
    assert taken.taken
    assert also.taken
    assert (first.taken, first.mode) == (False, mode)
    assert first.notice == "2 messages wait already, so this one was not taken. " + (
        "Please send it again later."
    )
    assert (second.taken, second.notice, second.ahead) == (False, None, 2)
    assert [each.outcomes for each in (first, second)] == [
        [RunOutcome("r3", "overflow")],
        [RunOutcome("r4", "overflow")],
    ]
    queue.end()
    batch = queue.begin_next(10_000)
    assert batch is not None
    assert batch.missed == 2
    assert batch.notice == (
        "2 more messages were not taken, because too many were waiting. Who wrote was asked to"
        " repeat it.\nHow they begin:\n- ada: R3\n- ada: R4"
    )
    later = arrive(queue, config, "r5", "r6", "r7")
    again = next(each for each in later if not each.taken)
    assert again.notice == first.notice
    while queue.waiting:
        queue.end()
        batch = queue.begin_next(10_000)
    assert batch is not None
    assert batch.missed == 0 or mode == "collect"
    queue.end()
    queue.add(message("r8"), config)
    last = queue.begin_next(10_000)
    assert last is not None
    assert last.notice is None


def test_an_agent_is_told_how_what_was_not_taken_begins_within_bounds() -> None:
    queue, config = busy(cap=1)
    queue.add(message("r1"), config)
    for number in range(30):
        queue.add(message(f"n{number}", text=f"{number} is\nthe " + "x" * 10_000), config)
    queue.end()
    batch = queue.begin_next(10_000)
    assert batch is not None
    assert batch.notice is not None
    first, head, *lines = batch.notice.splitlines()
    assert (first.split()[0], head, len(lines)) == ("30", "How they begin:", 20)
    assert lines[0].startswith("- ada: 10 is the xxx")  # the newest ones
    assert all(len(each) == len("- ada: ") + 160 for each in lines)


def test_a_backlog_is_taken_whole_and_takes_no_place_of_what_comes_now() -> None:
    queue, config = busy(cap=1)
    late = [queue.add(message(f"late{each}", late=True), config) for each in range(1000)]
    assert all(each.taken for each in late)
    now, refused = arrive(queue, config, "r1", "r2")
    assert (now.taken, refused.taken) == (True, False)
    one_more = queue.add(message("late", late=True), config)
    assert (one_more.taken, one_more.outcomes) == (False, [RunOutcome("late", "overflow")])


def test_a_queue_may_be_full_before_its_first_turn() -> None:
    queue, config = SessionQueue(), settings(debounce=300, cap=1)
    _, refused = arrive(queue, config, "r1", "r2")
    assert refused.notice
    batch = queue.begin_next(300)
    assert batch is not None
    assert batch.missed == 1


def test_one_message_that_was_not_taken_is_one() -> None:
    queue, config = busy(cap=1)
    arrive(queue, config, "r1", "r2")
    queue.end()
    batch = queue.begin_next(10_000)
    assert batch is not None
    assert batch.notice == (
        "1 more message was not taken, because too many were waiting. Who wrote was asked to"
        " repeat it.\nHow they begin:\n- ada: R2"
    )


def test_each_chat_is_told_once_that_a_message_was_not_taken() -> None:
    queue, config = busy(cap=1)
    queue.add(message("r1"), config)
    chats = ["a", "a", "b", ""]
    refused = [queue.add(message(f"n{chat}", chat=chat), config) for chat in chats]
    assert [each.notice is not None for each in refused] == [True, False, True, True]


@pytest.mark.parametrize(
    ("who", "start"),
    [
        ({"name": "Ada\nL."}, "Ada L."),
        ({"name": " "}, "ada"),
        ({"sender": ""}, "?"),
        ({"name": "n" * 99}, "n" * 64),
    ],
)
def test_an_agent_is_told_whose_message_was_not_taken(who: dict[str, Any], start: str) -> None:
    queue, config = busy(cap=1)
    queue.add(message("r1"), config)
    queue.add(message("r2", **who), config)
    queue.end()
    batch = queue.begin_next(10_000)
    assert batch is not None
    assert batch.beginnings == [f"{start}: R2"]


CHATS: list[tuple[str, str | None, list[str], list[str]]] = [
    # chat of the message, what it interrupts, what it supersedes, what waits then
    ("a", "r0", ["r1"], ["r2", "new"]),
    ("b", None, ["r2"], ["r1", "new"]),
    ("c", None, [], ["r1", "r2", "new"]),
    ("", "r0", ["r1", "r2"], ["new"]),  # from no chat: of the owner's page, say
]


@pytest.mark.parametrize(("chat", "interrupts", "superseded", "waiting"), CHATS)
@pytest.mark.parametrize("restored", [False, True])
def test_an_interruption_leaves_what_another_chat_waits_for(
    chat: str, interrupts: str | None, superseded: list[str], waiting: list[str], restored: bool
) -> None:
    queue, config = SessionQueue(), settings()
    before = [message(f"r{number}", chat=each) for number, each in enumerate("aab")]
    if restored:
        queue.restore(before[1:], config, ["r0"], "a")
    else:
        queue.add(before[0], config)
        queue.begin_next(0)
        for each in before[1:]:
            queue.add(each, config)
    arrival = queue.add(message("new", chat=chat, mode="interrupt"), config)
    assert arrival.interrupts == interrupts
    assert arrival.outcomes == [RunOutcome(each, "superseded", "new") for each in superseded]
    assert queue.waiting == waiting
    (outcome,) = queue.end(aborted=True)
    assert outcome.became == ("interrupted" if interrupts else "ended")


def test_a_turn_from_before_a_restart_was_not_interrupted_by_anything() -> None:
    queue = SessionQueue()
    queue.restore([], settings(), ["r0"])
    assert queue.add(message("r1", chat="a", mode="interrupt"), settings()).interrupts is None
    assert queue.end(aborted=True) == [RunOutcome("r0", "ended", "r0")]


def test_another_message_may_lead_the_turn() -> None:
    queue, config = busy()
    arrive(queue, config, "r1", "r2", "r3")
    queue.end()
    took(queue)
    queue.set_lead("r2")
    assert queue.running == "r2"
    assert [(each.run, each.became, each.by) for each in queue.end()] == [
        ("r2", "ended", "r2"),
        ("r1", "collected", "r2"),
        ("r3", "collected", "r2"),
    ]


def test_what_waits_is_due_at_once_when_the_clock_was_set() -> None:
    queue, config = SessionQueue(), settings(debounce=300)
    queue.add(message("r1", 900), config)
    queue.add(message("r2", 950, mode="followup"), config)
    assert queue.next_due() == 1200
    queue.forget_times()
    assert queue.next_due() == 0
    assert took(queue, 0)[1] == ["r1"]
    queue.end()
    assert took(queue, 0)[1] == ["r2"]


def test_a_full_queue_is_interrupted_all_the_same() -> None:
    queue, config = busy(cap=1)
    arrive(queue, config, "r1")
    arrival = queue.add(message("r2", mode="interrupt"), config)
    assert arrival.taken
    assert queue.waiting == ["r2"]


def test_a_run_that_is_there_already_is_not_taken_twice() -> None:
    queue, config = busy("interrupt")
    assert queue.add(message("r0"), config) == Arrival(True, "interrupt", True)
    assert queue.add(message("r1"), config).interrupts == "r0"
    steered = queue.add(message("r1", mode="steer"), config)
    assert steered == Arrival(True, "followup", True)
    assert queue.waiting == ["r1"]
    assert queue.end(aborted=True)[0].by == "r1"


QUIET = [
    ([0], 300),
    ([0, 200], 500),
    ([0, 200, 450], 750),
    ([0, 250, 500, 750, 1000, 1250, 1400], 1500),
]


@pytest.mark.parametrize(("times", "due"), QUIET)
def test_quick_messages_are_one_turn(times: list[int], due: int) -> None:
    queue, config = SessionQueue(), settings(debounce=300)
    for number, at in enumerate(times):
        queue.add(message(f"r{number}", at), config)
    assert queue.next_due() == due
    assert queue.begin_next(due - 1) is None
    batch = queue.begin_next(due)
    assert batch is not None
    assert len(batch.messages) == len(times)


def test_only_collected_messages_are_waited_for() -> None:
    queue, config = SessionQueue(), settings("followup", debounce=300)
    queue.add(message("r1", 100), config)
    assert queue.next_due() == 100
    queue.add(message("r2", 100, mode="collect"), config)
    assert took(queue, 100)[1] == ["r1"]
    queue.end()
    assert queue.next_due() == 400


def test_what_waits_can_be_taken_back() -> None:
    queue, config = busy()
    arrive(queue, config, "r1", "r2", "r3")
    assert queue.remove("r2") == RunOutcome("r2", "aborted")
    assert queue.remove("r2") is None
    assert queue.remove("r0") is None
    assert queue.clear() == [RunOutcome("r1", "aborted"), RunOutcome("r3", "aborted")]
    assert len(queue) == 0
    assert queue.clear() == []
    assert queue.running == "r0"


RESTORED: list[tuple[QueueMode, list[QueueMode | None], list[list[str]]]] = [
    ("collect", [None, "collect", None], [["r2", "r3", "r4"]]),
    ("collect", [None, "followup", None], [["r2"], ["r3"], ["r4"]]),
    ("collect", ["steer", "collect", None], [["r2"], ["r3", "r4"]]),
    ("followup", [None, None, "collect"], [["r2"], ["r3"], ["r4"]]),
    ("interrupt", [None, "interrupt", "collect"], [["r2"], ["r3"], ["r4"]]),
    ("steer", ["collect", "collect", None], [["r2", "r3"], ["r4"]]),
]


@pytest.mark.parametrize(("mode", "modes", "turns"), RESTORED)
def test_what_waited_before_a_restart_is_there_again(
    mode: QueueMode, modes: list[QueueMode | None], turns: list[list[str]]
) -> None:
    queue = SessionQueue()
    before = [message(f"r{at}", 900, mode=each) for at, each in enumerate(modes, 2)]
    queue.restore(before, settings(mode, debounce=300, cap=1), running=["r0", "r1"])
    assert queue.running == "r0"
    assert queue.begin_next(9999) is None
    assert [each.became for each in queue.end()] == ["ended", "collected"]
    assert queue.next_due() == 0
    for runs in turns:
        assert took(queue)[1] == runs
        queue.end()


def test_a_turn_has_no_more_text_than_one_message_may_have() -> None:
    queue, config = busy()
    half = "x" * (MAX_TEXT // 2)
    for run in ("r1", "r2", "r3"):
        queue.add(message(run, text=half), config)
    queue.end()
    assert took(queue)[1] == ["r1"]
    huge = SessionQueue()
    huge.add(message("r1", text="x" * MAX_TEXT), config)
    assert took(huge)[1] == ["r1"]


# Of several people, each message may get a name of 64 characters with ": ", and a line break.
EXACT = MAX_TEXT // 2 - 64 - 3 - 2


@pytest.mark.parametrize(
    ("text", "other", "joined"),
    [
        ("x" * EXACT, "x" * EXACT, True),
        ("x" * EXACT, "x" * (EXACT + 1), False),
        ("x\n" * 40_000, "x\n" * 40_000, False),  # two more for each line
        ("x\n" * 30_000, "x\n" * 30_000, True),
    ],
)
def test_the_text_of_several_people_fits_with_their_names(
    text: str, other: str, joined: bool
) -> None:
    queue, config = busy()
    queue.add(message("r1", text=text, name="n" * 64), config)
    queue.add(message("r2", text=other, name="m" * 64, sender="bob"), config)
    queue.end()
    _, runs, whole = took(queue)
    assert (len(runs) == 2) is joined
    assert len(whole) <= MAX_TEXT


def say(sender: str, text: str, name: str = "") -> QueuedMessage:
    return message("r", sender=sender, name=name, text=text)


TEXTS = [
    ([say("1", "a\nb")], "a\nb"),
    ([say("1", "a"), say("1", "b")], "a\nb"),
    ([say("1", "a", "Ada"), say("2", "b")], "Ada: a\n2: b"),
    ([say("1", "hi\nBob: x", "Ada"), say("2", "b", "Bob")], "Ada: hi\n  Bob: x\nBob: b"),
    ([say("1", "hi\u2028Bob: x", "Ada"), say("2", "", "Bob")], "Ada: hi\n  Bob: x\nBob: "),
    ([say("1", "x", "A\nBob: y"), say("2\n3", "b", " ")], "A Bob: y: x\n2 3: b"),
    ([say("1", "x", "n" * 99), say(" ", "b")], "n" * 64 + ": x\n?: b"),
    ([say("1", "x", "A" + " " * 255 + "B"), say("2", "b")], "A: x\n2: b"),
]


@pytest.mark.parametrize(("messages", "text"), TEXTS)
def test_several_people_are_told_apart(messages: list[QueuedMessage], text: str) -> None:
    assert text_of(messages) == text


def test_every_outcome_has_its_sentence() -> None:
    assert BECAME.keys() == set(get_args(Became))
    assert RunOutcome("r1", "ended", "r1").reason == "its own turn has ended"
    assert RunOutcome("r2", "collected", "r1").reason.endswith("earlier message (r1)")
    assert RunOutcome("r2", "overflow").reason == "as many messages as may wait did so already"


STEP = st.tuples(
    st.sampled_from(["arrive", "arrive", "arrive", "take", "end", "abort", "remove", "clear"]),
    st.sampled_from(get_args(QueueMode)),
    st.integers(0, 400),
)


@given(st.lists(STEP, max_size=50), st.integers(1, 4), st.sampled_from([0, 100]))
def test_every_message_is_told_once_what_became_of_it(
    steps: list[tuple[str, QueueMode, int]], cap: int, debounce: int
) -> None:
    """With the lanes beside it, as both are used; in the end every run has its outcome."""
    queue, lanes, now, runs = SessionQueue(), Lanes(1, 1), 0, 0
    told: list[RunOutcome] = []
    begun: list[str] = []

    def begin() -> None:
        for _ in lanes.begin_due(now):
            batch = queue.begin_next(now)
            assert batch is not None
            assert len(batch.messages) <= cap
            begun.extend(each.run for each in batch.messages)

    def asks() -> None:
        due = queue.next_due()
        if due is None:
            lanes.withdraw("s")
        else:
            lanes.request("s", "main", due)

    rest: list[tuple[str, QueueMode, int]] = [("take", "collect", 1000), ("end", "collect", 0)] * 60
    for name, mode, number in [*steps, *rest]:
        match name:
            case "arrive":
                now += number
                arrival = queue.add(message(f"r{runs}", now), settings(mode, debounce, cap))
                runs += 1
                told += arrival.outcomes
                assert arrival.taken is (
                    arrival.outcomes[-1:] != [RunOutcome(f"r{runs - 1}", "overflow")]
                )
            case "end" | "abort":
                told += queue.end(aborted=name == "abort")
                lanes.end("s")
            case "remove" if queue.waiting:
                found = queue.remove(queue.waiting[number % len(queue)])
                told += [found] if found else []
            case "clear":
                told += queue.clear()
            case _:
                now += number
                begin()
        asks()
        assert len(queue) <= cap
        assert lanes.has_turn("s") is (queue.running is not None)
    assert sorted(outcome.run for outcome in told) == sorted(f"r{number}" for number in range(runs))
    assert begun == sorted(begun, key=lambda run: int(run[1:]))
    led = {
        outcome.run for outcome in told if outcome.became in ("ended", "collected", "interrupted")
    }
    assert led == set(begun)
    assert all(outcome.reason for outcome in told)
