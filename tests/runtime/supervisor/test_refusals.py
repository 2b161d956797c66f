from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import (
    CONFIGURATION,
    Deadline,
    Event,
    Exit,
    Exited,
    Ready,
    Reset,
    Restart,
    Spawned,
    Start,
    State,
    Stop,
    Unhealthy,
    Wake,
    step,
)
from runtime.supervisor.refusals import NO_REFUSALS, NextTry, RefusalPolicy, Refusals, next_try
from tests.support.accounts import ACCOUNT_POLICY

POLICY = msgspec.structs.replace(ACCOUNT_POLICY, jitter=0.0)
RULES = RefusalPolicy()
LOGIN = Exit(code=77, said="needs_login", text="no such password")
CONFIG = Exit(code=78, said="misconfigured", text="the nick is held")
CRASH = Exit(code=1)
WORKED = State(Phase.RUNNING, wanted=True, incarnation=3, proven=True)
NEW = State(Phase.STARTING, wanted=True, incarnation=3)


class Life:
    """One account on a clock of its own; each of its processes ends as it is told."""

    def __init__(self, state: State = WORKED) -> None:
        self.state = state
        self.now = 1000.0
        self.wait: float | None = None

    def do(self, event: Event) -> None:
        self.state, actions = step(POLICY, self.state, event)
        wakes = [action.after for action in actions if isinstance(action, Wake)]
        self.wait = wakes[0] if wakes else None

    def end(self, how: Exit, *, after: float = 0.0) -> None:
        self.now += after
        self.do(Exited(self.state.incarnation, how, self.now))

    def again(self, how: Exit, *, after: float = 0.0) -> None:
        """Let the wait pass, and the next process end so."""
        assert self.wait is not None
        self.now += self.wait
        self.do(Deadline(self.state.incarnation, self.state.phase))
        assert self.state.phase is Phase.STARTING
        self.end(how, after=after)

    def told(self) -> tuple[str, str | None, float | None]:
        return self.state.phase.value, self.state.retry, self.wait


def lived(*ends: Exit, state: State = WORKED, runs: float = 0.0) -> list[tuple[object, ...]]:
    """Return what is seen after each of these ends; each process lives for ``runs`` seconds."""
    life = Life(state)
    life.end(ends[0], after=runs)
    found: list[tuple[object, ...]] = [life.told()]
    for how in ends[1:]:
        life.again(how, after=runs)
        found.append(life.told())
    return found


BACK = "backoff"
SLOW = ("failed", "slow")
FINAL = ("failed", None, None)


@pytest.mark.parametrize(
    ("ends", "seen"),
    [
        pytest.param([CONFIG], [(BACK, None, 5)], id="one proves nothing"),
        pytest.param([LOGIN], [(BACK, None, 5)], id="nor does one password"),
        pytest.param(
            [CONFIG] * 5,
            [(BACK, None, 5), (BACK, None, 60), *[(*SLOW, 900)] * 3],
            id="three in a row do, and it is tried on",
        ),
        pytest.param(
            [CONFIG, LOGIN] * 3,
            [(BACK, None, 5), (BACK, None, 60), (BACK, None, 300), (BACK, None, 300),
             (*SLOW, 900), (*SLOW, 2040)],
            id="different ones are enough after ten minutes",
        ),
        pytest.param(
            [LOGIN] * 6,
            [(BACK, None, 5), (BACK, None, 60), (*SLOW, 3535), (*SLOW, 900), (*SLOW, 900),
             (*SLOW, 1800)],
            id="three passwords an hour",
        ),
        pytest.param(
            [CONFIG, CONFIG, CRASH, CONFIG, CONFIG, CONFIG],
            [(BACK, None, 5), (BACK, None, 60), (BACK, None, 20), (BACK, None, 5),
             (BACK, None, 60), (*SLOW, 900)],
            id="an end of another kind begins the row anew",
        ),
        pytest.param(
            [LOGIN, CRASH, LOGIN, CRASH, LOGIN],
            [(BACK, None, 5), (BACK, None, 10), (BACK, None, 5), (BACK, None, 40),
             (*SLOW, 3600 - 60)],
            id="but not the count of passwords",
        ),
        pytest.param(
            [msgspec.structs.replace(CONFIG, final=True)], [FINAL], id="what cannot pass is final"
        ),
        pytest.param(
            [CONFIG, msgspec.structs.replace(LOGIN, final=True)],
            [(BACK, None, 5), FINAL],
            id="at any time",
        ),
        pytest.param(
            [CRASH, msgspec.structs.replace(CRASH, final=True)],
            [(BACK, None, 5), (BACK, None, 10)],
            id="a crash is never final",
        ),
    ],
)  # fmt: skip
def test_a_person_is_needed_only_after_repeated_refusals(
    ends: list[Exit], seen: list[tuple[object, ...]]
) -> None:
    assert lived(*ends) == seen


def test_ten_minutes_of_refusals_are_enough_however_few_they_are() -> None:
    life = Life()
    life.end(CONFIG)
    life.again(CONFIG, after=594.9)
    assert life.told() == (BACK, None, 60)
    life = Life()
    life.end(CONFIG)
    life.again(CONFIG, after=595)
    assert life.told() == (*SLOW, 900)


@pytest.mark.parametrize("how", [LOGIN, CONFIG])
def test_an_account_that_never_ran_is_not_tried_at_all(how: Exit) -> None:
    assert lived(how, state=NEW) == [FINAL]


def test_one_that_was_ready_once_has_proved_itself() -> None:
    life = Life(NEW)
    life.do(Spawned(3))
    life.do(Ready(3))
    life.end(CONFIG)
    assert life.told() == (BACK, None, 5)


def test_its_end_is_told_by_the_exit_even_where_we_ended_it() -> None:
    life = Life()
    life.do(Unhealthy(3, "mute"))
    life.end(CONFIG)
    assert (life.state.phase, life.state.cause) == (Phase.BACKOFF, "misconfigured")
    assert (life.state.reason, life.state.failures) == ("the nick is held", 1)


def _failed() -> Life:
    life = Life()
    life.end(LOGIN)
    life.again(LOGIN)
    life.again(LOGIN)
    assert life.told() == (*SLOW, 3535)
    return life


def test_a_slow_try_that_works_is_forgiven_after_some_health() -> None:
    life = _failed()
    life.now += 3535
    life.do(Deadline(life.state.incarnation, Phase.FAILED))
    life.do(Ready(life.state.incarnation))
    assert (life.state.phase, life.state.retry) == (Phase.RUNNING, None)
    assert life.state.refusals.count == 3
    life.do(Deadline(life.state.incarnation, Phase.RUNNING))
    assert (life.state.refusals, life.state.failures) == (NO_REFUSALS, 0)


@pytest.mark.parametrize(
    ("event", "tried"),
    [
        (Start(), 1),
        (Restart(), 1),
        (Restart(automatic=True, why=CONFIGURATION), 1),  # the password may be another
        (Start(automatic=True), 0),
        (Restart(automatic=True), 0),
    ],
)
def test_a_person_or_a_changed_configuration_begins_anew(event: Event, tried: int) -> None:
    life = _failed()
    life.do(event)
    assert (life.state.phase, life.state.retry) == (Phase.STARTING, None)
    life.end(LOGIN)
    assert life.told() == ((BACK, None, 5) if tried else (*SLOW, 3540))


def test_a_reset_forgives_the_row_but_no_password() -> None:
    life = _failed()
    life.do(Reset())
    assert life.state.refusals == Refusals(logins=(1000, 1005, 1065))
    assert (life.state.phase, life.state.failures) == (Phase.FAILED, 0)


def test_a_stop_ends_the_slow_tries() -> None:
    life = _failed()
    incarnation = life.state.incarnation
    life.do(Stop("held"))
    assert (life.state.phase, life.state.retry) == (Phase.STOPPED, None)
    life.do(Deadline(incarnation, Phase.FAILED))
    assert life.state.phase is Phase.STOPPED


@pytest.mark.parametrize(("spread", "wait"), [(0.8, 4.0), (1.2, 6.0)])
def test_jitter_spreads_a_wait(spread: float, wait: float) -> None:
    one = NO_REFUSALS.add(RULES, "misconfigured", 0.0, login=False)
    assert next_try(RULES, one, 0.0, spread).wait == pytest.approx(wait)


@pytest.mark.parametrize(("spread", "wait"), [(0.8, 720.0), (1.2, 1080.0)])
def test_chance_spreads_the_slow_tries_too(spread: float, wait: float) -> None:
    earned = Refusals(3, 3, "misconfigured", 0.0)
    found = next_try(RULES, earned, 65.0, spread)
    assert found.wait == pytest.approx(wait)
    assert found.needs_a_person


def test_chance_never_brings_a_password_forward() -> None:
    full = Refusals(3, 3, "needs_login", 0.0, (0.0, 5.0, 65.0))
    assert next_try(RULES, full, 65.0, 0.8).wait == 3535


def test_a_password_that_is_allowed_soon_is_no_reason_to_call_a_person() -> None:
    full = Refusals(1, 1, "needs_login", 3500.0, (0.0, 5.0, 3500.0))
    assert next_try(RULES, full, 3500.0, 1.0) == NextTry(100.0, False)


_ends = st.sampled_from([LOGIN, CONFIG, CRASH])


@given(st.lists(st.tuples(_ends, st.floats(0, 2000)), min_size=1, max_size=40))
def test_whatever_happens_no_hour_sees_more_than_three_passwords(
    ends: list[tuple[Exit, float]],
) -> None:
    life = Life()
    life.end(*ends[0][:1])
    refused = [life.now] if ends[0][0] is LOGIN else []
    for how, runs in ends[1:]:
        life.again(how, after=runs)
        if how is LOGIN:
            refused.append(life.now)
    for first, fourth in zip(refused, refused[3:], strict=False):
        assert fourth - first >= 3600 - 1e-6


@given(st.lists(st.tuples(_ends, st.floats(0, 400)), min_size=1, max_size=40))
def test_whatever_happens_it_is_tried_again(ends: list[tuple[Exit, float]]) -> None:
    life = Life()
    life.end(ends[0][0])
    for how, runs in ends[1:]:
        assert life.wait is not None
        assert (life.state.retry == "slow") == (life.state.phase is Phase.FAILED)
        life.again(how, after=runs)
