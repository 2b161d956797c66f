from __future__ import annotations

import signal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.frames.words import ALIVE, Phase
from runtime.supervisor.lifecycle import (
    Action,
    Deadline,
    Event,
    Exit,
    Exited,
    Kill,
    Linking,
    Ready,
    Reset,
    Restart,
    Spawn,
    Spawned,
    Start,
    State,
    Stop,
    Terminate,
    Unhealthy,
    Waiting,
    Wake,
    cause_of_exit,
    step,
)
from runtime.supervisor.policy import GATEWAY_POLICY, Policy
from tests.support.accounts import ACCOUNT_POLICY

POLICY = Policy(jitter=0.0)
CRASH = Exit(code=1)
RUNNING = State(Phase.RUNNING, wanted=True, incarnation=3)
STARTING = msgspec.structs.replace(RUNNING, phase=Phase.STARTING)
STOPPED = State(incarnation=3)
FAILED = State(Phase.FAILED, True, 3, failures=1, cause="misconfigured", reason="no nick")
BACKOFF = State(Phase.BACKOFF, True, 3, failures=4, cause="exited", reason="exited (code 1)")
STOPPING = State(Phase.STOPPING, False, 3, cause="held")


def play(*events: Event, state: State = STOPPED, policy: Policy = POLICY) -> State:
    for event in events:
        state, _ = step(policy, state, event)
    return state


def crashes(count: int, policy: Policy = POLICY) -> list[float]:
    """Return the waits after so many crashes in a row, each right after its start."""
    state, _ = step(policy, State(), Start(automatic=True))
    waits = []
    for _ in range(count):
        state, actions = step(policy, state, Exited(state.incarnation, CRASH))
        (wake,) = actions
        assert isinstance(wake, Wake)
        waits.append(wake.after)
        state, actions = step(policy, state, Deadline(state.incarnation, Phase.BACKOFF))
        assert Spawn(state.incarnation) in actions
    return waits


def test_backoff_doubles_to_its_cap_and_becomes_a_slow_tail_that_never_ends() -> None:
    fast = [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert crashes(30) == fast + [900] * 21


def test_the_gateway_is_tried_every_thirty_seconds_for_ever() -> None:
    policy = msgspec.structs.replace(GATEWAY_POLICY, jitter=0.0)
    waits = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30]
    assert crashes(100, policy)[:10] == pytest.approx(waits)
    assert crashes(100, policy)[-1] == 30


def test_a_start_spawns_and_the_clock_runs_from_when_the_process_exists() -> None:
    state, actions = step(POLICY, STOPPED, Start())
    assert (state.phase, state.wanted, state.incarnation) == (Phase.STARTING, True, 4)
    assert actions == [Spawn(4)]
    assert step(POLICY, state, Spawned(4)) == (state, [Wake(POLICY.ready_within)])


@pytest.mark.parametrize("state", [STOPPED, RUNNING, STOPPING, BACKOFF, FAILED])
def test_that_it_exists_matters_only_while_it_starts(state: State) -> None:
    assert step(POLICY, state, Spawned(3)) == (state, [])


def test_ready_clears_the_cause_and_arms_forgiveness() -> None:
    failing = msgspec.structs.replace(STARTING, failures=2, cause="x", reason="y")
    state, actions = step(POLICY, failing, Ready(3))
    assert state == msgspec.structs.replace(RUNNING, failures=2, proven=True)
    assert actions == [Wake(POLICY.healthy_after)]


def test_failures_are_forgiven_once_it_was_healthy_long_enough() -> None:
    state = msgspec.structs.replace(RUNNING, failures=6)
    assert play(Deadline(3, Phase.RUNNING), state=state) == RUNNING


def test_one_that_is_not_ready_in_time_is_ended_and_counts_as_failed() -> None:
    state, actions = step(POLICY, STARTING, Deadline(3, Phase.STARTING))
    assert actions == [Terminate(), Wake(POLICY.stop_within)]
    state = play(Exited(3, Exit(signal=9)), state=state)
    assert (state.phase, state.failures) == (Phase.BACKOFF, 1)
    assert (state.cause, state.reason) == ("not_ready", "not ready within 30 s")


def test_a_child_that_waits_for_something_external_is_not_late() -> None:
    state, actions = step(POLICY, STARTING, Waiting(3, "it waits for the gateway"))
    assert (state.phase, state.cause, state.reason) == (
        Phase.STARTING,
        "waiting",
        "it waits for the gateway",
    )
    assert actions == [Wake(POLICY.ready_within)]
    for _ in range(100):
        same, actions = step(POLICY, state, Deadline(3, Phase.STARTING))
        assert (same, actions) == (state, [Wake(POLICY.ready_within)])
    assert play(Ready(3), state=state) == msgspec.structs.replace(RUNNING, proven=True)


def test_once_it_waits_no_more_its_time_to_be_ready_runs_from_there() -> None:
    state = play(Waiting(3, "it waits for the gateway"), state=STARTING)
    state, actions = step(POLICY, state, Waiting(3, ""))
    assert (state, actions) == (STARTING, [Wake(POLICY.ready_within)])
    assert play(Deadline(3, Phase.STARTING), state=state).cause == "not_ready"


def test_a_wait_counts_only_while_it_starts() -> None:
    for state in (STOPPED, RUNNING, STOPPING, BACKOFF, FAILED):
        assert step(POLICY, state, Waiting(3, "late")) == (state, [])


def test_one_in_whose_place_a_program_answers_runs_while_that_is_attached() -> None:
    nobody = Waiting(3, "nobody attached", "nobody_attached")
    for before in (STARTING, RUNNING):
        state, actions = step(POLICY, before, nobody)
        assert (state.phase, state.cause) == (Phase.STARTING, "nobody_attached")
        assert actions == [Wake(POLICY.ready_within)]
        assert step(POLICY, state, Deadline(3, Phase.STARTING)) == (state, actions)
    assert play(Ready(3), state=state).phase is Phase.RUNNING


@pytest.mark.parametrize("event", [Exited(3, CRASH), Unhealthy(3, "silent"), Stop()])
def test_what_waits_can_fail_and_be_stopped(event: Event) -> None:
    state = play(Waiting(3, "it waits for the gateway"), event, state=STARTING)
    assert state.phase is not Phase.STARTING
    assert state.cause != "waiting"


LINKING = msgspec.structs.replace(STARTING, cause="linking", reason="log in")


def test_a_login_gives_a_person_its_own_time_which_another_prompt_does_not_prolong() -> None:
    state, actions = step(POLICY, STARTING, Linking(3, "log in"))
    assert (state, actions) == (LINKING, [Wake(POLICY.login_within)])
    assert step(POLICY, state, Linking(3, "log in")) == (LINKING, [])


def test_a_login_that_is_asked_for_before_the_spawn_is_reported_keeps_its_time() -> None:
    assert step(POLICY, LINKING, Spawned(3)) == (LINKING, [Wake(POLICY.login_within)])


def test_after_the_login_the_time_to_be_ready_runs_from_there() -> None:
    assert step(POLICY, LINKING, Linking(3, "")) == (STARTING, [Wake(POLICY.ready_within)])
    assert step(POLICY, STARTING, Linking(3, "")) == (STARTING, [])
    assert play(Ready(3), state=LINKING) == msgspec.structs.replace(RUNNING, proven=True)


@pytest.mark.parametrize("proven", [True, False])
def test_without_a_login_in_time_a_person_is_needed_and_no_failure_is_counted(proven: bool) -> None:
    state, actions = step(
        POLICY, msgspec.structs.replace(LINKING, proven=proven), Deadline(3, Phase.STARTING)
    )
    assert actions == [Terminate(), Wake(POLICY.stop_within)]
    state, actions = step(POLICY, state, Exited(3, Exit(code=0)))
    assert (state.phase, state.failures, actions) == (Phase.FAILED, 0, [])
    assert (state.cause, state.reason) == ("needs_login", "no login within 600 s")
    assert play(Start(), state=state).phase is Phase.STARTING


def test_a_login_counts_only_while_it_starts() -> None:
    for state in (STOPPED, RUNNING, STOPPING, BACKOFF, FAILED):
        assert step(POLICY, state, Linking(3, "late")) == (state, [])


def test_one_that_dies_while_it_waits_for_a_login_is_started_again() -> None:
    state = play(Exited(3, Exit(signal=9)), state=LINKING)
    assert (state.phase, state.cause, state.failures) == (Phase.BACKOFF, "killed", 1)
    assert play(Stop(), Exited(3, CRASH), state=LINKING).phase is Phase.STOPPED


@pytest.mark.parametrize(
    ("asked", "wait", "retry"),
    [(7200.0, 7200.0, "asked"), (2.0, 5.0, None), (None, 5.0, None)],
    ids=["longer than the backoff", "shorter", "none"],
)
def test_the_time_that_a_platform_names_is_waited_for_and_never_less_than_the_backoff(
    asked: float | None, wait: float, retry: str | None
) -> None:
    how = Exit(code=75, said="transient", text="busy", retry_after=asked)
    state, actions = step(POLICY, RUNNING, Exited(3, how))
    assert actions == [Wake(wait)]
    assert (state.phase, state.retry) == (Phase.BACKOFF, retry)
    spawned, actions = step(POLICY, state, Deadline(3, Phase.BACKOFF))
    assert (spawned.retry, actions) == (None, [Spawn(4)])


def test_only_a_person_or_another_configuration_shortens_a_wait_that_was_asked_for() -> None:
    how = Exit(code=75, said="transient", text="busy", retry_after=7200.0)
    waits = play(Exited(3, how), state=RUNNING)
    assert step(POLICY, waits, Start(automatic=True, reason="the network is back")) == (waits, [])
    for event in (Start(), Restart(), Restart(automatic=True, why="configuration")):
        assert step(POLICY, waits, event)[0].phase is Phase.STARTING


@pytest.mark.parametrize("state", [STARTING, RUNNING])
def test_an_unhealthy_one_is_ended_and_the_reason_outlives_the_exit(state: State) -> None:
    state = play(Unhealthy(3, "silent for 30 s"), Exited(3, Exit(code=0)), state=state)
    assert (state.phase, state.cause, state.reason) == (
        Phase.BACKOFF,
        "unhealthy",
        "silent for 30 s",
    )


@pytest.mark.parametrize(
    ("exit", "cause", "text"),
    [
        (Exit(code=1), "exited", "exited (code 1)"),
        (Exit(code=0), "exited", "exited (code 0)"),
        (Exit(code=75), "transient", "exited (code 75)"),
        (Exit(code=255), "unknown", "exited (code 255)"),
        (Exit(signal=9, oom=True), "out_of_memory", "exited (signal 9)"),
        (Exit(signal=15, oom=True), "killed", "exited (signal 15)"),
        (Exit(signal=9, oom=True, said="transient"), "out_of_memory", "exited (signal 9)"),
        (Exit(signal=signal.SIGKILL), "killed", "exited (signal 9)"),
        (Exit(signal=50), "killed", "exited (signal 50)"),
        (Exit(code=1, said="returned", text="run returned"), "returned", "run returned"),
        (Exit(code=75, said="transient", text="no route"), "transient", "no route"),
        (Exit(code=1, said="failed", text="KeyError: 'x'"), "failed", "KeyError: 'x'"),
        (Exit(text="cannot start: no memory"), "not_spawned", "cannot start: no memory"),
        (Exit(), "not_spawned", "was not spawned"),
    ],
)
def test_a_failure_is_tried_again_and_says_why(exit: Exit, cause: str, text: str) -> None:
    state, actions = step(POLICY, RUNNING, Exited(3, exit))
    assert (state.phase, state.wanted, state.failures) == (Phase.BACKOFF, True, 1)
    assert (state.cause, state.reason) == (cause, text)
    assert actions == [Wake(5.0)]


@pytest.mark.parametrize("state", [STARTING, RUNNING, play(Unhealthy(3, "mute"), state=RUNNING)])
@pytest.mark.parametrize(
    ("exit", "cause"),
    [
        (Exit(code=77), "needs_login"),
        (Exit(code=78), "misconfigured"),
        (Exit(code=78, said="failed", text="bad"), "misconfigured"),
        (Exit(code=1, said="needs_login", text="bad password"), "needs_login"),
    ],
)
def test_what_needs_a_person_is_not_tried_again(state: State, exit: Exit, cause: str) -> None:
    state, actions = step(POLICY, state, Exited(3, exit))
    assert (state.phase, state.wanted, state.cause) == (Phase.FAILED, True, cause)
    assert actions == []


@pytest.mark.parametrize("cause", ["finished", "logged_out"])
def test_an_account_that_has_ended_stays_down(cause: str) -> None:
    state, actions = step(POLICY, RUNNING, Exited(3, Exit(code=0, said=cause, text="bye")))
    assert (state.phase, state.wanted, state.cause, state.reason) == (
        Phase.STOPPED,
        False,
        cause,
        "bye",
    )
    assert actions == []


@pytest.mark.parametrize("state", [STARTING, RUNNING])
def test_a_stop_asks_then_kills_until_it_is_gone(state: State) -> None:
    state, actions = step(POLICY, state, Stop("held", "maintenance"))
    assert actions == [Terminate(), Wake(5.0)]
    for _ in range(2):
        state, actions = step(POLICY, state, Deadline(3, Phase.STOPPING))
        assert actions == [Kill(), Wake(5.0)]
    state = play(Exited(3, Exit(signal=9)), state=state)
    assert (state.phase, state.wanted) == (Phase.STOPPED, False)
    assert (state.cause, state.reason) == ("held", "maintenance")


@pytest.mark.parametrize("state", [STOPPED, BACKOFF, FAILED])
def test_a_stop_of_one_that_is_down_keeps_it_down_and_forgives_nothing(state: State) -> None:
    after, actions = step(POLICY, state, Stop("disabled", "not now"))
    assert after == State(Phase.STOPPED, False, 3, state.failures, "disabled", "not now")
    assert actions == []


def test_a_later_stop_replaces_the_cause() -> None:
    after = play(Stop("disabled", "not now"), state=STOPPING)
    assert after == msgspec.structs.replace(STOPPING, cause="disabled", reason="not now")


@pytest.mark.parametrize("state", [STARTING, RUNNING, STOPPING])
def test_what_is_stopped_is_not_wanted_from_that_moment(state: State) -> None:
    assert play(Stop(), state=state).wanted is False


def test_an_automatic_start_revives_what_the_configuration_had_stopped() -> None:
    state = play(Stop("disabled"), Start(automatic=True), Exited(3, CRASH), state=RUNNING)
    assert (state.phase, state.wanted, state.failures) == (Phase.STARTING, True, 0)


def test_without_chance_a_delay_is_exact() -> None:
    _, actions = step(ACCOUNT_POLICY, RUNNING, Exited(3, CRASH))
    assert actions == [Wake(5.0)]


@pytest.mark.parametrize("state", [STOPPED, BACKOFF, FAILED])
@pytest.mark.parametrize("event", [Start(), Restart()])
def test_a_start_by_an_operator_does_not_wait_for_the_backoff(state: State, event: Event) -> None:
    state, actions = step(POLICY, state, event)
    assert (state.phase, state.failures) == (Phase.STARTING, 0)
    assert Spawn(4) in actions


@pytest.mark.parametrize("state", [BACKOFF, FAILED])
def test_an_automatic_start_wakes_but_forgives_nothing(state: State) -> None:
    after, actions = step(POLICY, state, Start(automatic=True))
    assert Spawn(4) in actions
    assert after.failures == state.failures


@pytest.mark.parametrize("state", [STARTING, RUNNING])
def test_a_start_of_one_that_is_up_only_forgives(state: State) -> None:
    failed = msgspec.structs.replace(state, failures=3)
    assert step(POLICY, failed, Start()) == (state, [])
    assert step(POLICY, failed, Start(automatic=True)) == (failed, [])


@pytest.mark.parametrize("state", [play(Stop("held"), state=s) for s in (STOPPED, RUNNING)])
@pytest.mark.parametrize("event", [Start(automatic=True), Restart(automatic=True)])
def test_nothing_automatic_ends_a_manual_stop(state: State, event: Event) -> None:
    assert step(POLICY, state, event) == (state, [])
    assert play(event, Exited(3, CRASH), state=state).phase is Phase.STOPPED


@pytest.mark.parametrize("event", [Start(), Restart()])
def test_a_start_while_stopping_spawns_when_the_old_one_is_gone(event: Event) -> None:
    state, actions = step(POLICY, STOPPING, event)
    assert (state.phase, actions) == (Phase.STOPPING, [])
    state, actions = step(POLICY, state, Exited(3, Exit(signal=9)))
    assert Spawn(4) in actions
    assert state.failures == 0


def test_a_stop_after_that_start_wins() -> None:
    state = play(Start(), Stop("held"), Exited(3, CRASH), state=STOPPING)
    assert (state.phase, state.cause) == (Phase.STOPPED, "held")


def test_an_automatic_start_does_not_turn_a_failure_into_a_restart() -> None:
    state = play(Unhealthy(3, "mute"), Start(automatic=True), Exited(3, CRASH), state=RUNNING)
    assert (state.phase, state.failures) == (Phase.BACKOFF, 1)


@pytest.mark.parametrize("state", [STARTING, RUNNING])
@pytest.mark.parametrize("exit", [CRASH, Exit(code=78), Exit(code=0, said="finished", text="")])
def test_a_restart_counts_no_failure_however_it_ended(state: State, exit: Exit) -> None:
    after, actions = step(POLICY, state, Restart())
    assert actions == [Terminate(), Wake(5.0)]
    after, actions = step(POLICY, after, Exited(3, exit))
    assert Spawn(4) in actions
    assert (after.failures, after.restarts) == (0, state.restarts + 1)


def test_a_reset_forgives_and_lets_the_wait_go_on() -> None:
    assert step(POLICY, BACKOFF, Reset()) == (msgspec.structs.replace(BACKOFF, failures=0), [])


def test_starting_a_stopped_one_is_no_restart() -> None:
    assert play(Start(), Stop(), Exited(4, CRASH), Start()).restarts == 0


@pytest.mark.parametrize("state", [STOPPED, STARTING, RUNNING, STOPPING, BACKOFF, FAILED])
@pytest.mark.parametrize(
    "late",
    [Spawned(2), Waiting(2, "x"), Linking(2, "x"), Ready(2), Unhealthy(2, "x"), Exited(2, CRASH)],
)
def test_news_of_an_earlier_incarnation_change_nothing(state: State, late: Event) -> None:
    assert step(POLICY, state, late) == (state, [])


@pytest.mark.parametrize("state", [STOPPED, STARTING, RUNNING, STOPPING, BACKOFF, FAILED])
@pytest.mark.parametrize("armed", list(Phase))
def test_a_deadline_of_another_phase_changes_nothing(state: State, armed: Phase) -> None:
    if armed is not state.phase:
        assert step(POLICY, state, Deadline(3, armed)) == (state, [])


@pytest.mark.parametrize("state", [STOPPED, RUNNING, STOPPING, BACKOFF, FAILED])
def test_ready_at_the_wrong_time_changes_nothing(state: State) -> None:
    assert step(POLICY, state, Ready(3)) == (state, [])


def ending(*events: Event, state: State = RUNNING) -> State:
    """Return the state in which the exit of a process that we ended is met."""
    return play(*events, state=state)


@pytest.mark.parametrize(
    ("before", "how", "cause"),
    [
        (RUNNING, Exit(signal=9), "killed"),
        (RUNNING, Exit(signal=9, oom=True), "out_of_memory"),
        (RUNNING, Exit(code=255), "unknown"),
        (STARTING, Exit(code=78), "misconfigured"),
        (ending(Stop("held")), Exit(code=0), "operator"),
        (ending(Stop("held")), Exit(signal=9), "operator"),
        (ending(Restart()), Exit(signal=15), "operator"),
        (ending(Stop("disabled")), Exit(code=0), "disabled"),
        (ending(Unhealthy(3, "mute")), Exit(signal=9), "unhealthy"),
        (ending(Deadline(3, Phase.STARTING), state=STARTING), Exit(signal=9), "not_ready"),
        (ending(Unhealthy(3, "mute")), Exit(code=77), "needs_login"),
        (ending(Stop("held")), Exit(code=0, said="logged_out"), "logged_out"),
        (msgspec.structs.replace(STOPPING, cause=None), Exit(code=3), "exited"),
    ],
)
def test_an_exit_is_attributed_to_its_cause(before: State, how: Exit, cause: str) -> None:
    assert cause_of_exit(before, how) == cause


@pytest.mark.parametrize("event", [Start(reason="why"), Restart(reason="why")])
@pytest.mark.parametrize("state", [RUNNING, STOPPING])
def test_a_restart_carries_its_reason(state: State, event: Event) -> None:
    after = play(event, state=state)
    if after.phase is Phase.STOPPING:  # a start of one that runs changes nothing
        assert (after.cause, after.reason) == ("restart", "why")
        after = play(Exited(3, CRASH), state=after)
        assert (after.phase, after.reason) == (Phase.STARTING, "why")


def test_failures_outlive_an_orderly_stop_but_not_the_start_of_an_operator() -> None:
    state = play(Exited(3, CRASH), Stop("shutdown"), state=RUNNING)
    assert state.failures == 1
    assert play(Start(automatic=True), state=state).failures == 1
    assert play(Start(), state=state).failures == 0


# Properties over every order of events.

_numbers = st.integers(0, 4)
_exits = st.builds(
    Exit,
    code=st.sampled_from([None, 0, 1, 75, 77, 78]),
    signal=st.sampled_from([None, 9, 15]),
    said=st.sampled_from([None, "finished", "logged_out", "transient", "returned"]),
)
_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Start, st.booleans()),
    st.builds(Restart, st.booleans()),
    st.builds(Stop, st.sampled_from(["held", "disabled"])),
    st.just(Reset()),
    st.builds(Spawned, _numbers),
    st.builds(Waiting, _numbers, st.sampled_from(["", "it waits"])),
    st.builds(Linking, _numbers, st.sampled_from(["", "log in"])),
    st.builds(Ready, _numbers),
    st.builds(Unhealthy, _numbers, st.just("mute")),
    st.builds(Exited, _numbers, _exits),
    st.builds(Deadline, _numbers, st.sampled_from(Phase)),
)


def history(events: list[Event]) -> list[tuple[State, Event, State, list[Action]]]:
    """Play events, with incarnations near the present one, and return every step."""
    steps, state = [], State()
    for event in events:
        if isinstance(event, Spawned | Waiting | Linking | Ready | Unhealthy | Exited | Deadline):
            near = state.incarnation + min(event.incarnation, 1) - (event.incarnation == 4) * 2
            event = msgspec.structs.replace(event, incarnation=near)
        before = state
        state, actions = step(ACCOUNT_POLICY, state, event)
        steps.append((before, event, state, actions))
    return steps


@given(st.lists(_events, max_size=60))
def test_there_is_never_more_than_one_process(events: list[Event]) -> None:
    alive = 0
    for before, event, after, actions in history(events):
        if isinstance(event, Exited) and event.incarnation == before.incarnation:
            alive -= before.phase in ALIVE
        alive += sum(isinstance(action, Spawn) for action in actions)
        assert alive == (after.phase in ALIVE)


@given(st.lists(_events, max_size=60))
def test_nothing_but_a_start_ends_a_manual_stop(events: list[Event]) -> None:
    held = False
    for _, event, after, actions in history(events):
        if isinstance(event, Stop):
            held = event.cause == "held"
        elif isinstance(event, Start | Restart) and not event.automatic:
            held = False
        assert not (held and after.wanted)
        assert not (held and any(isinstance(action, Spawn) for action in actions))


@given(st.lists(_events, max_size=60))
def test_incarnations_and_restarts_only_grow(events: list[Event]) -> None:
    for before, _, after, actions in history(events):
        spawned = [action.incarnation for action in actions if isinstance(action, Spawn)]
        assert spawned == list(range(before.incarnation + 1, after.incarnation + 1))
        assert after.restarts >= before.restarts


@given(st.lists(_events, max_size=60))
def test_every_phase_that_must_end_has_a_deadline_from_its_first_moment(
    events: list[Event],
) -> None:
    timed = {Phase.STOPPING, Phase.BACKOFF, Phase.RUNNING}  # STARTING: from Spawned on
    for before, _, after, actions in history(events):
        entered = after.phase is not before.phase or after.incarnation != before.incarnation
        wakes = sum(isinstance(action, Wake) for action in actions)
        if entered:
            assert wakes == (after.phase in timed)


@given(st.lists(_events, max_size=60))
def test_a_crash_never_changes_what_the_operator_wants(events: list[Event]) -> None:
    for before, event, after, _ in history(events):
        if isinstance(event, Exited) and event.exit.cause not in {"finished", "logged_out"}:
            assert after.wanted == before.wanted
